"""What files hold: torch's, safetensors (also in shards) and NumPy's. No code in a file is run."""

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
    """Return what a file holds: tensors, perhaps in plain containers.

    The kind of file is told by what is in it: safetensors, an index of safetensors in shards (`.index.json`), NumPy's
    `.npy` and `.npz`, or a torch file. stubs: full names of classes whose objects may lie beside the weights; they are
    read as empty objects of a class of ours, whatever the file says that they do.

    Raises InputError if the file is missing, damaged, of another kind, which is named, or holds other objects, which
    are refused and not executed.
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
    if what := foreign(path, head):
        raise InputError(f"{path}: {what}")
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
            warnings.simplefilter("ignore")  # on pickle protocols; what cannot be read raises
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if other := re.search(r"GLOBAL (\S+)", str(error)):
            raise InputError(
                f"{path}: holds Python objects other than tensors ({other[1]}), which could run code; refused "
                "without running any. Save its state_dict() and load that"
            ) from error
        raise InputError(f"{path}: {unread(path, head, '')}") from error


def _read_numpy(path: Path) -> Any:
    content = np.load(path, allow_pickle=False)
    if isinstance(content, np.ndarray):
        return torch.from_numpy(content)
    arrays = {}
    with content:
        for name in content.files:
            with suppress(ValueError, TypeError):  # objects, which only code could make, and text
                arrays[name] = torch.from_numpy(content[name])
    return arrays


def _read_shards(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of all files that an index names, which lie beside it."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not an index of safetensors (no weight_map)") from error
    state: dict[str, torch.Tensor] = {}
    for name in sorted(set(names)):
        if Path(name).name != name:
            raise InputError(f"{path}: names {name}, which does not lie beside it")
        state |= read_tensors(path.with_name(name))
    return state


def _stub(module: str, name: str) -> type:
    """An empty class that goes by another's name."""
    return type(name, (), {"__module__": module})
