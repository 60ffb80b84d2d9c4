"""Create and read run folders: `config.json`, `log.jsonl`, `state.safetensors`, `directions.safetensors`, images."""

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from direction_finder.directions_file import RENAMED_METHODS
from direction_finder.errors import InputError
from direction_finder.files import (
    CONFIG,
    DIRECTIONS,
    LOG,
    PREVIEWS,
    STATE,
    existing_file,
    parse_json,
    read_json,
    replacing,
    write_json,
)
from direction_finder.generators.python import absolute_target
from direction_finder.locks import LOCK
from direction_finder.runs.claims import empty
from direction_finder.runs.models import Entry, RunConfig
from direction_finder.settings import ST_RKM, VAE

PATHS = ("biggan", "biggan-deep", "dcgan", "progan", ST_RKM, VAE)  # families whose generators are named by a path
FOUND = ("generator", "class", "method", "settings", "torch", "direction_finder")  # keys of runs with directions
NEEDED = (*FOUND, "threads", "device")  # keys of runs that can be resumed


@dataclass(frozen=True)
class Run:
    """Hold a run folder and the contents of its `config.json`."""

    folder: Path
    config: dict[str, Any]

    @property
    def directions_path(self) -> Path:
        """Return the path of the directions file."""
        return self.folder / DIRECTIONS

    @property
    def finished(self) -> bool:
        """Return whether the run reached its end."""
        return bool(self.config.get("finished"))

    @property
    def log(self) -> Path:
        """Return the path of the log."""
        return self.folder / LOG

    @classmethod
    def create(cls, folder: Path, config: dict[str, Any]) -> "Run":
        """Write `config.json` into a folder that `claims.claimed` gave."""
        config = {**config, "started": datetime.now(UTC).isoformat(timespec="seconds"), "finished": None}
        write_json(folder / CONFIG, config)
        return cls(folder, config)

    @classmethod
    def open(cls, folder: Path, needed: Sequence[str] = NEEDED, verb: str = "learn") -> "Run":
        """Read a run folder that `verb` made. needed: required keys of its configuration.

        Raises InputError if the folder is not such a run.
        """
        path = folder / CONFIG
        if not path.is_file():
            raise InputError(f"{folder}: not a run folder (it has no {CONFIG}); give one that `{verb}` made")
        config = read_json(path, RunConfig)
        for key in needed:
            if key not in config:
                raise InputError(f"{folder}: not a run folder ({CONFIG} has no {key!r}); give one that `{verb}` made")
        if config.get("method") in RENAMED_METHODS:
            config["method"] = RENAMED_METHODS[config["method"]]
        return cls(folder, config)

    def read_state(self) -> dict[str, Tensor] | None:
        """Return the saved state, or None if the run ended before the first one was saved.

        Raises InputError if the file is damaged.
        """
        path = self.folder / STATE
        if not path.exists():
            return None
        try:
            state = load_file(existing_file(path))
        except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
            raise InputError(f"{path}: damaged ({error}); delete it to start the run again") from error
        step = state.get("step")
        if step is None or step.numel() != 1 or step.is_floating_point() or not 0 <= int(step) < 2**40:
            raise InputError(f"{path}: not the state of a run (it has no step); delete it to start the run again")
        return state

    def write_state(self, state: dict[str, Tensor]) -> None:
        """Save a state to resume from."""
        tensors = {name: tensor.cpu().contiguous() for name, tensor in state.items()}
        with replacing(self.folder / STATE) as part:
            part.write_bytes(save(tensors, metadata={"kind": "state of a direction-finder run"}))

    def remove_if_not_begun(self) -> None:
        """Delete the folder if the run failed before it saved its first state."""
        if {path.name for path in self.folder.iterdir()} <= {CONFIG, LOG, PREVIEWS, LOCK}:
            empty(self.folder)
            with suppress(OSError):  # it is locked; who holds the lock deletes the folder
                self.folder.rmdir()

    def finish(self, finished: bool = True) -> None:
        """Record in `config.json` that the run reached its end, or (finished=False) that it continues."""
        self.config["finished"] = datetime.now(UTC).isoformat(timespec="seconds") if finished else None
        write_json(self.folder / CONFIG, self.config)

    def steps(self) -> list[dict[str, Any]]:
        """Return the entries of the log, up to a line that was cut short when the run was killed."""
        return [entry for _, entry in self._entries()]

    def _entries(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the lines of the log and what they hold, up to one that was cut short or is not an entry."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.is_file() else ""
        for line in text.splitlines(keepends=True):
            try:
                entry = parse_json(line, str(self.log), Entry)
            except InputError:
                break
            if "step" in entry:
                yield line, entry

    def cut_log(self, step: int) -> None:
        """Keep the log's lines up to `step`, because a resumed run writes the later ones again."""
        if not self.log.is_file():
            return
        lines = [line for line, entry in self._entries() if entry["step"] <= step]
        with replacing(self.log) as part:
            part.write_text("".join(lines), encoding="utf-8")


def absolute(spec: str) -> str:
    """Return a generator's name with absolute paths, so that it means the same in every folder."""
    family, colon, path = spec.partition(":")
    if family == "python":
        return f"{family}:{absolute_target(path)}"
    return f"{family}:{os.path.abspath(path)}" if family in PATHS and colon else spec


def slug(text: str) -> str:
    """Return a text as lower-case words joined by hyphens, for folder names."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
