"""Read the files of torch, safetensors (also in shards) and NumPy. No code in a file is run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.files import existing_file, read_json
from direction_finder.generators.weights.kinds import (
    CUT,
    HEAD,
    foreign,
    is_numpy,
    is_safetensors,
    unread,
)
from direction_finder.torch_files import Unreadable, check_content, load_numpy, load_torch


class Shards(TypedDict):
    """Name the file of each weight, as `model.safetensors.index.json` does."""

    weight_map: dict[str, str]


def read_tensors(path: str | Path, stubs: Sequence[str] = ()) -> Any:
    """Return the content of a file: tensors, perhaps in plain containers.

    The kind of file is recognised by its content: safetensors, an index of safetensors in shards (`.index.json`),
    NumPy's `.npy` and `.npz`, or a torch file. stubs: full names of classes whose objects may be stored with the
    weights; they are read as objects of an empty class of ours, so that no code of the file is run.

    Raises InputError if the file is missing, damaged, of another kind (the message says which), or contains other
    objects, which are refused and not executed.
    """
    path = existing_file(path, "expected a file of weights")
    with open(path, "rb") as file:
        head = file.read(HEAD)
    if path.name.endswith(".index.json"):
        return _read_shards(path)
    if problem := foreign(path, head):
        raise InputError(f"{path}: {problem}")
    if path.suffix == ".safetensors" or is_safetensors(path, head):
        return _read_safetensors(path)
    try:
        return load_numpy(path) if is_numpy(path, head) else load_torch(path, stubs)
    except Unreadable as error:
        raise InputError(f"{path}: {unread(path, head, error.reason)}") from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        state = load_file(path)
    except (SafetensorError, KeyError, AttributeError) as error:  # the latter for types of numbers that torch lacks
        raise InputError(f"{path}: {CUT}") from error
    check_content(state, path)
    return state


def _read_shards(path: Path) -> dict[str, Tensor]:
    """Return the tensors of all files that an index names, which must be in its folder."""
    state: dict[str, Tensor] = {}
    for name in sorted(set(read_json(path, Shards)["weight_map"].values())):
        if name in ("", "..") or Path(name).name != name:
            raise InputError(f"{path}: names {name!r}, which is not in its folder")
        shard = None if name.endswith(".index.json") else read_tensors(path.with_name(name))
        if not isinstance(shard, dict):
            raise InputError(f"{path}: names {name!r}, which holds no weights by name")
        state |= shard
    return state
