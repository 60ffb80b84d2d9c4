"""Run folders: `config.json` first, then `log.jsonl`, `state.safetensors`, `directions.safetensors`, pictures."""

import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.files import CONFIG, DIRECTIONS, LOG, PREVIEWS, STATE, read_json, replacing, write_json
from direction_finder.generators.python import absolute_target

PATHS = ("biggan", "biggan-deep", "dcgan", "progan")  # families whose generators are named by a path
FOUND = ("generator", "class", "method", "settings", "torch", "direction_finder")  # of runs with directions
NEEDED = (*FOUND, "threads", "device")  # of those that can go on


@dataclass(frozen=True)
class Run:
    """A run folder and what its `config.json` holds."""

    folder: Path
    config: dict[str, Any]

    @property
    def directions_path(self) -> Path:
        return self.folder / DIRECTIONS

    @property
    def finished(self) -> bool:
        """Whether the run came to its own end."""
        return bool(self.config.get("finished"))

    @property
    def log(self) -> Path:
        return self.folder / LOG

    @classmethod
    def create(cls, out: Path | None, name: str, config: dict[str, Any]) -> "Run":
        """Take the reserved folder `out`, or the next number under `outputs/`, and write `config.json` into it."""
        folder = out or _next_folder(Path("outputs"), name)
        config = {**config, "started": datetime.now(timezone.utc).isoformat(timespec="seconds"), "finished": None}
        write_json(folder / CONFIG, config)
        return cls(folder, config)

    @classmethod
    def open(cls, folder: Path, needed: Sequence[str] = NEEDED, verb: str = "learn") -> "Run":
        """Read a run folder that `verb` made. Raises InputError if it is none."""
        path = folder / CONFIG
        if not path.is_file():
            raise InputError(f"{folder}: not a run folder (it has no {CONFIG}); give one that `{verb}` made")
        config = read_json(path)
        for key in needed:
            if not isinstance(config, dict) or key not in config:
                raise InputError(f"{folder}: not a run folder ({CONFIG} has no {key!r}); give one that `{verb}` made")
        return cls(folder, config)

    def read_state(self) -> dict[str, Tensor] | None:
        """The saved state, or None if the run ended before the first was saved."""
        path = self.folder / STATE
        if not path.is_file():
            return None
        try:
            state = load_file(path)
        except SafetensorError as error:
            raise InputError(f"{path}: damaged ({error}); delete it to start the run again") from error
        if "step" not in state:
            raise InputError(f"{path}: not the state of a run (it has no step); delete it to start the run again")
        return state

    def write_state(self, state: dict[str, Tensor]) -> None:
        tensors = {name: tensor.cpu().contiguous() for name, tensor in state.items()}
        with replacing(self.folder / STATE) as part:
            part.write_bytes(save(tensors, metadata={"kind": "state of a direction-finder run"}))

    def remove_if_not_begun(self) -> None:
        """Take the folder away again if the run failed before its first state."""
        if {path.name for path in self.folder.iterdir()} <= {CONFIG, LOG, PREVIEWS}:
            shutil.rmtree(self.folder)

    def finish(self, finished: bool = True) -> None:
        """Note in `config.json` that the run came to its own end, or that it goes on."""
        self.config["finished"] = datetime.now(timezone.utc).isoformat(timespec="seconds") if finished else None
        write_json(self.folder / CONFIG, self.config)

    def steps(self) -> list[dict[str, Any]]:
        """What the log holds, up to a line cut short when the run was killed."""
        found = []
        for line in self.log.read_text(encoding="utf-8").splitlines() if self.log.is_file() else []:
            try:
                found.append(json.loads(line))
            except ValueError:
                break
        return found

    def cut_log(self, step: int) -> None:
        """Keep the log's lines up to `step`: those that a resumed run will not write again."""
        if not self.log.is_file():
            return
        kept = []
        for line in self.log.read_text(encoding="utf-8").splitlines(keepends=True):
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line)
            except ValueError:  # a line cut short when the run was killed
                break
        with replacing(self.log) as part:
            part.write_text("".join(kept), encoding="utf-8")


def absolute(spec: str) -> str:
    """A generator's name that means the same in every folder."""
    family, colon, path = spec.partition(":")
    if family == "python":
        return f"{family}:{absolute_target(path)}"
    return f"{family}:{os.path.abspath(path)}" if family in PATHS and colon else spec


def slug(text: str) -> str:
    """Lower-case words joined by hyphens, for folder names."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


@contextmanager
def reserved(folder: Path | None) -> Iterator[None]:
    """Make the folder that --out names, so that it is known to be writable; gone again if it is still empty at the end.

    Raises InputError if it holds anything.
    """
    if folder is None:
        yield
        return
    if (folder / CONFIG).is_file():
        raise InputError(f"{folder}: holds a run already; go on with it by --resume {folder}, or give another --out")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder}: exists and is not empty; give a new folder as --out")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _next_folder(parent: Path, name: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        numbers = [int(child.name[:5]) for child in parent.iterdir() if re.match(r"\d{5}-", child.name)]
        folder = parent / f"{max(numbers, default=0) + 1:05d}-{name}"
        try:
            folder.mkdir()
            return folder
        except FileExistsError:  # another process took the number
            continue
