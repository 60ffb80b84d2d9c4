"""Read the files of torch, safetensors (also in shards) and NumPy. No code in a file is run."""

import json
import pickle
import re
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from direction_finder.errors import InputError
from direction_finder.generators.weights.kinds import (
    CUT,
    HEAD,
    foreign,
    is_numpy,
    is_safetensors,
    unread,
)


def read_tensors(path: str | Path, stubs: Sequence[str] = ()) -> Any:
    """Return the content of a file: tensors, perhaps in plain containers.

    The kind of file is recognised by its content: safetensors, an index of safetensors in shards (`.index.json`),
    NumPy's `.npy` and `.npz`, or a torch file. stubs: full names of classes whose objects may be stored with the
    weights; they are read as objects of an empty class of ours, so that no code of the file is run.

    Raises InputError if the file is missing, damaged, of another kind (the message says which), or contains other
    objects, which are refused and not executed.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: a folder; expected a file of weights")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with open(path, "rb") as file:
        head = file.read(HEAD)
    if path.name.endswith(".index.json"):
        return _read_shards(path)
    if problem := foreign(path, head):
        raise InputError(f"{path}: {problem}")
    try:
        if path.suffix == ".safetensors" or is_safetensors(path, head):
            return load_file(path)
        if is_numpy(path, head):
            return _read_numpy(path)
        return _read_torch(path, stubs, head)
    except (SafetensorError, RuntimeError, EOFError, ValueError, KeyError, OSError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: {unread(path, head, reason) if path.suffix != '.safetensors' else CUT}") from error


def _read_torch(path: Path, stubs: Sequence[str], head: bytes) -> Any:
    try:
        allowed: list[Callable | tuple[Callable, str]] = [_stub(*name.rpartition(".")[::2]) for name in stubs]
        with warnings.catch_warnings(), torch.serialization.safe_globals(allowed):
            warnings.simplefilter("ignore")  # about pickle protocols; unreadable files raise errors
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if other := re.search(r"GLOBAL (\S+)", str(error)):
            raise InputError(
                f"{path}: contains Python objects other than tensors ({other[1]}), which could run code: refused "
                "without running any; save the network's state_dict() and load that"
            ) from error
        raise InputError(f"{path}: {unread(path, head, '')}") from error


def _read_numpy(path: Path) -> Any:
    content = np.load(path, allow_pickle=False)
    if isinstance(content, np.ndarray):
        return torch.from_numpy(content)
    arrays = {}
    with content:
        for name in content.files:
            with suppress(ValueError, TypeError):  # skips objects, which only code can make, and text
                arrays[name] = torch.from_numpy(content[name])
    return arrays


def _read_shards(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of all files that an index names, which must be in its folder."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not an index of safetensors (no weight_map)") from error
    state: dict[str, torch.Tensor] = {}
    for name in sorted(set(names)):
        if Path(name).name != name:
            raise InputError(f"{path}: names {name}, which is not in its folder")
        state |= read_tensors(path.with_name(name))
    return state


def _stub(module: str, name: str) -> type:
    """Return an empty class with the full name of another class."""
    return type(name, (), {"__module__": module})
