"""Bad input, made at random from a seed: files that were changed in any way, and hostile values of options."""

import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from direction_finder.curves import Curve
from direction_finder.directions import Directions
from direction_finder.files import DIRECTIONS as DIRECTIONS_FILE
from direction_finder.samples import Samples
from tests.faults.crashes import fresh
from tests.faults.forks import Outcome, run
from tests.faults.scenarios import SCENARIOS

LOOK = ("info",)
DIRECTIONS = (
    ("render", "grid", "run", "--samples", 1, "--steps", 2),
    ("rank", "run", "--samples", 1, "--hessians", 0, "--ranges", "none"),
    ("edit", "run", "--step", "move:0=1", "--samples", 1),
    ("export", "run", "--out", "new.npy"),
    ("name", "run", 1, "second"),
    ("page", "run"),
    ("info", "run"),
    ("learn", "--resume", "run"),
)
TRAINING = (("train", "progan", "--resume", "training", "--score-every", 0), ("page", "training"), ("info", "training"))
DATA = (
    ("train", "biggan", "labelled", "--steps", 1, "--batch-size", 2, "--channel-width", 4, "--out", "new"),
    ("scenes", "verify", "labelled", "--redraw", 0),
    ("info", "labelled"),
)
READERS: dict[str, tuple[tuple[Any, ...], ...]] = {  # a file of the template, and commands that read it
    "run/config.json": DIRECTIONS,
    "run/directions.safetensors": DIRECTIONS,
    "bent/directions.safetensors": (
        ("render", "grid", "bent", "--samples", 1, "--steps", 2),
        ("align", "bent", "--direction", "0,1", "--to", "0,1", "--keep", 2, "--samples", 1),
        ("edit", "bent", "--step", "move:0=1", "--keep", 1, "--samples", 1),
        ("bend", "bent", "--points", 8),
        ("info", "bent"),
    ),
    "run/rank.json": (*DIRECTIONS[:1], ("page", "run"), ("info", "run/rank.json")),
    "run/share.json": (("page", "run"), ("info", "run/share.json")),
    "run/log.jsonl": (("page", "run"), ("info", "run/log.jsonl"), ("learn", "--resume", "run")),
    "run/raw/share.safetensors": (
        ("measure", "run", "--metric", "share", "--samples", 3, "--again"),
        ("info", "run/raw/share.safetensors"),
    ),
    "half/state.safetensors": (("learn", "--resume", "half"), ("info", "half")),
    "half/config.json": (("learn", "--resume", "half"), ("info", "half"), ("page", "half")),
    "training/config.json": TRAINING,
    "training/state.safetensors": TRAINING,
    "training/log.jsonl": TRAINING,
    "trained/snapshot.safetensors": (
        ("finetune", "trained", "images", "--resolution", 8, "--kimg", 0.004, "--score-every", 0, "--out", "new"),
        ("info", "trained/snapshot.safetensors"),
    ),
    "trained/generator.safetensors": (
        ("learn", "--generator", "progan:trained/generator.safetensors", "--method", "random", "--out", "new"),
        ("info", "trained/generator.safetensors"),
    ),
    "small.pth": (
        ("learn", "--generator", "dcgan:small.pth", "--method", "random", "--num-classes", 3, "--out", "new"),
        ("render", "grid", "run", "--samples", 1, "--steps", 2),
        ("info", "small.pth"),
    ),
    "matrix.npy": (("import", "matrix.npy", "--out", "new"), ("info", "matrix.npy")),
    "matrix.pt": (("import", "matrix.pt", "--out", "new"), ("info", "matrix.pt")),
    "labelled/dataset.json": DATA,
    "labelled/factors.csv": DATA,
    "labelled/checksums.sha256": DATA,
    "labelled/images/000001.png": DATA,
    "images/0.png": (
        ("train", "progan", "images", "--resolution", 8, "--kimg", 0.1, "--score-every", 0, "--out", "new"),
        ("info", "images/0.png"),
    ),
    "run/edit.json": (("edit", "run", "--recipe", "run/edit.json"), ("info", "run/edit.json")),
    "samples.safetensors": (
        ("render", "grid", "run", "--samples", "samples.safetensors", "--steps", 2),
        ("info", "samples.safetensors"),
    ),
    "settings/trusted": (("render", "grid", "run", "--samples", 1, "--steps", 2),),
}  # fmt: skip
VALUES = [
    *(None, True, False, 0, -1, 3, 2**31, 2**63, 10**30, 0.5, -1e300, 1e300, float("nan"), float("inf")),
    *("", "x", "²", "nan", "../..", "/", "a\0b", "\x1b[31mred", "\n", "9" * 5000, "x" * 300, "‮right", "<script>"),
    *([], [[]], [1], ["x"], [None] * 9, {}, {"a": 1}, list(range(100_000))),
]
OPTIONS = [
    "nan",
    "inf",
    "-inf",
    "1e300",
    "1e999",
    "²",
    "٣",
    "9" * 5000,
    "0x10",
    "1_000",
    "0-",
    "-",
    "",
    " ",
    "a\0b",
    "\ud800",
]


def extend(root: Path) -> None:
    """Add to what `scenarios.build` made: samples, a matrix, curves, and what was ranked, measured and edited."""
    torch.save(torch.eye(6)[:4], root / "matrix.pt")
    Samples(torch.ones(2, 1, 6), torch.ones(2, dtype=torch.long)).save(root / "samples.safetensors")
    shutil.copytree(root / "run", root / "bent")
    plain = Directions.load(root / "bent")
    curve = Curve.of(plain.vectors[0], 0.2 * plain.vectors[1][:, None] * plain.vectors[1], 1)
    about = {"points": 8, "seed": 0, "at": ["image"], "epsilon": 0.1}
    curves = (curve, *[None] * (len(plain) - 1))
    replace(plain, curves=curves, curvature=about).save(root / "bent" / DIRECTIONS_FILE)
    for name in ("rank", "measure", "edit"):
        scenario = next(each for each in SCENARIOS if each.name == name)
        assert (outcome := run(root, *scenario.arguments)).code == 0, outcome


@dataclass(frozen=True)
class Fault:
    """A bad input. what: in words; harmful: whether a command that takes it has accepted nonsense."""

    what: str
    command: tuple[Any, ...]
    harmful: bool = False


def file_fault(root: Path, dice: random.Random) -> Fault:
    """Change one file below `root`, and return a command that reads it."""
    name = dice.choice([name for name in READERS if (root / name).exists()])
    path = root / name
    if path.is_dir():
        path = dice.choice(sorted(path.iterdir()) or [path / "none.json"])
    kinds = [_flipped, _cut, _emptied, _replaced, _grown, _is_pipe, _is_folder, _of_another]
    kinds += [_edited] * 8 if path.suffix == ".json" else [_edited_header] * 8 if path.suffix == ".safetensors" else []
    kind = dice.choice(kinds)
    kind(path, dice)
    command = dice.choice(READERS[name])
    harmful = command[0] != "info" and _harmful(kind, path)  # which says what is wrong with it
    return Fault(f"{name} {kind.__name__.strip('_')}", command, harmful)


def option_fault(commands: list[tuple[Any, ...]], dice: random.Random) -> Fault:
    """Give a hostile value to an option, or in place of an argument, of a command that works."""
    command = list(dice.choice(commands))
    places = [index for index, text in enumerate(command) if isinstance(text, int | float)]
    place, value = dice.choice(places), dice.choice(OPTIONS)
    command[place] = value
    return Fault(f"{command[place - 1]} {value[:12]!r}", tuple(command), harmful=True)


def judged(fault: Fault, outcome: Outcome, before: dict[str, bytes], root: Path) -> str | None:
    """Return what is wrong with how a command took a fault: a traceback, a hang, nonsense, or changed files."""
    if outcome.code is None:
        return "hang"
    if outcome.code == 0:
        return "nonsense" if fault.harmful else "traceback" if "Traceback" in outcome.stderr else None
    if not outcome.clean:
        return "traceback"
    return "changed" if content(root) != before else None


def tried(template: Path, seed: int, work: Path, perform: Callable[..., Outcome]) -> tuple[Fault, str | None, Outcome]:
    """Make a bad input from a seed and `perform` a command with it; return both and what is wrong."""
    dice = random.Random(seed)
    root = fresh(template, work)
    commands = [
        command for readers in READERS.values() for command in readers if any(isinstance(t, int) for t in command)
    ]
    fault = option_fault(commands, dice) if dice.random() < 0.25 else file_fault(root, dice)
    before = content(root)
    outcome = perform(root, *fault.command)
    return fault, judged(fault, outcome, before, root), outcome


def content(root: Path) -> dict[str, bytes]:
    """Return all files below a folder, apart from the logs of unexpected errors."""
    return {
        str(path): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "errors" not in path.parts
    }


def _harmful(kind: Callable, path: Path) -> bool:
    """Return whether no command may take the file: bytes in a torch file were changed, which has checksums."""
    return kind is _flipped and path.suffix in (".pth", ".pt")


def _flipped(path: Path, dice: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(min(40, len(data))):
        data[dice.randrange(len(data))] ^= dice.randrange(1, 256)
    path.write_bytes(data)


def _cut(path: Path, dice: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: dice.randrange(max(1, len(data)))])


def _emptied(path: Path, _: random.Random) -> None:
    path.write_bytes(b"")


def _replaced(path: Path, dice: random.Random) -> None:
    path.write_bytes(dice.choice([b"\0" * 99, b"<!doctype html>", b"[" * 100_000, b"PK\x03\x04", dice.randbytes(999)]))


def _grown(path: Path, dice: random.Random) -> None:
    with open(path, "ab") as file:
        file.write(dice.randbytes(dice.randrange(1, 99)))


def _is_pipe(path: Path, _: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def _is_folder(path: Path, _: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _of_another(path: Path, dice: random.Random) -> None:
    others = sorted(other for other in path.parent.iterdir() if other.is_file() and other != path)
    if others:
        shutil.copy(dice.choice(others), path)


def _edited(path: Path, dice: random.Random) -> None:
    path.write_text(json.dumps(_mutated(json.loads(path.read_text()), dice)))


def _edited_header(path: Path, dice: random.Random) -> None:
    """Change a safetensors file's metadata, or the names, types, shapes and offsets of its tensors."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    ours = header.get("__metadata__", {}).get("direction_finder")
    if ours and dice.random() < 0.8:
        header["__metadata__"]["direction_finder"] = json.dumps(_mutated(json.loads(ours), dice))
    else:
        header = _mutated(header, dice)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def _mutated(content: Any, dice: random.Random) -> Any:
    """Return JSON with one entry, at any depth, removed, or replaced by a hostile value."""
    if not isinstance(content, dict | list) or not content or dice.random() < 0.1:
        return dice.choice(VALUES)
    keys = list(content) if isinstance(content, dict) else list(range(len(content)))
    key = dice.choice(keys)
    if dice.random() < 0.2:
        del content[key]
    elif isinstance(content, dict) and dice.random() < 0.05:
        content["unknown"] = dice.choice(VALUES)
    else:
        content[key] = _mutated(content[key], dice)
    return content
