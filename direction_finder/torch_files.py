"""Read the files of torch and NumPy that anybody may have made: no code is run, checksums count, sizes are bounded."""

import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from direction_finder.errors import InputError, out_of_memory

DEEPEST = 50  # containers within one another; more, or a container within itself, cannot be searched
MOST = 300_000  # containers and tensors, counted wherever they are referred to
REPEATED = 1 << 28  # values that a tensor may have beyond those stored: an expanded tensor repeats them
UNPACKED = 1 << 30  # bytes that an archive may always unpack to
FOLDER = 0x10  # the mark of a folder in an archive
RATIO = 20  # an archive may unpack to so many times its size
KINDS = (Tensor, Mapping, list, tuple)
NUMBERS = {
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128, torch.bool),
    *(torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.int16, torch.int32, torch.int64),
}


class Unreadable(InputError):
    """Report that a file is none of torch or NumPy, or a damaged one; `reason` says why, in one line or ""."""

    def __init__(self, path: Path, reason: str):
        super().__init__(f"{path}: not a file of torch or NumPy, or cut short{f' ({reason})' if reason else ''}")
        self.reason = reason


def load_torch(path: Path, stubs: Sequence[str] = ()) -> Any:
    """Return the content of a torch file on the CPU: tensors, perhaps in plain containers.

    stubs: full names of classes whose objects are read as objects of an empty class. Raises Unreadable if it is no such
    file, InputError if a checksum is wrong, if it holds objects that only code can make, or tensors without values.
    """
    check_archive(path)
    try:
        allowed: list[Callable | tuple[Callable, str]] = [_stub(*name.rpartition(".")[::2]) for name in stubs]
        with warnings.catch_warnings(), torch.serialization.safe_globals(allowed):
            warnings.simplefilter("ignore")  # about pickle protocols; unreadable files raise errors
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if other := re.search(r"GLOBAL (\S{1,200})", str(error)):
            raise InputError(
                f"{path}: contains Python objects other than tensors ({other[1]}), which could run code: refused "
                "without running any; save tensors alone, e.g. a network's state_dict()"
            ) from error
        raise Unreadable(path, "") from error
    except Exception as error:  # whatever a hostile file makes the reader raise
        raise Unreadable(path, _reason(error)) from error
    check_content(content, path)
    return content


def load_numpy(path: Path) -> Any:
    """Return the array of a `.npy` file as a tensor, or those of a `.npz` file by name, without objects and texts.

    Raises Unreadable if it is no such file, and InputError if a checksum is wrong.
    """
    check_archive(path)
    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return _tensor(content)
        arrays = {}
        with content:
            for name in content.files:
                with suppress(ValueError, TypeError):
                    arrays[name] = _tensor(content[name])
        return arrays
    except Exception as error:  # whatever a hostile file makes the reader raise
        raise Unreadable(path, _reason(error)) from error


def _tensor(array: Any) -> Tensor:
    """Return an array as a tensor. Raises TypeError if it does not hold numbers."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biufc":
        raise TypeError(f"it holds {array.dtype if isinstance(array, np.ndarray) else 'bytes'}, expected numbers")
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))


def check_archive(path: Path) -> None:
    """Raise InputError if a file is a zip archive that is damaged, or that unpacks to far more than its size."""
    with open(path, "rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            if unpacked > max(UNPACKED, RATIO * size):
                raise InputError(
                    f"{path}: {size:,} bytes that unpack to {unpacked:,}; refused, as this fills the memory"
                )
            # torch takes members with the mark of a folder for empty, and their values from memory as it is
            marked = (member.filename for member in members if member.external_attr & FOLDER and member.file_size)
            damaged = archive.testzip() or next(marked, None)
    except InputError:
        raise
    except Exception as error:  # whatever a hostile file makes the reader raise
        raise InputError(f"{path}: damaged or cut short; download it again ({_reason(error)})") from error
    if damaged is not None:
        raise InputError(f"{path}: damaged (the checksum or the mark of {damaged} is wrong); download it again")


def check_content(content: Any, path: Path) -> None:
    """Raise InputError if containers hold a tensor whose values cannot be read, or are nested without end."""
    left: list[tuple[Any, int, tuple]] = [(content, 0, ())]  # a trail is (key, trail of the container)
    seen = 0
    while left:
        value, depth, trail = left.pop()
        if isinstance(value, Tensor) and (problem := unusable(value)):
            called = f"tensor {'.'.join(_keys(trail))}" if trail else "its tensor"
            raise InputError(f"{path}: {called} {problem}; save dense tensors of ordinary floats")
        if isinstance(value, Mapping):
            left += ((each, depth + 1, (key, trail)) for key, each in value.items() if isinstance(each, KINDS))
        elif isinstance(value, list | tuple):
            left += ((each, depth + 1, (key, trail)) for key, each in enumerate(value) if isinstance(each, KINDS))
        seen += 1
        if depth > DEEPEST or seen + len(left) > MOST:
            raise InputError(f"{path}: its content is nested too deeply, or holds itself; save a plain state_dict()")


def _keys(trail: tuple) -> list[str]:
    """Return the keys that lead to a value, the outermost first."""
    keys: list[str] = []
    while trail:
        key, trail = trail
        keys.insert(0, key[:100] if isinstance(key, str) else str(key) if type(key) is int else type(key).__name__)
    return keys


def unusable(tensor: Tensor) -> str | None:
    """Return why a tensor's values cannot be used as ordinary numbers; None if they can."""
    if tensor.layout != torch.strided:
        return f"is sparse ({str(tensor.layout).removeprefix('torch.')})"
    if tensor.device.type == "meta":
        return "has no values (it is on the meta device)"
    if tensor.dtype not in NUMBERS:
        return f"is of {str(tensor.dtype).removeprefix('torch.')}"
    if tensor.numel() - tensor.untyped_storage().nbytes() // tensor.itemsize > REPEATED:
        return f"repeats a few values as {tuple(tensor.shape)}"
    return None


def _reason(error: Exception) -> str:
    """Return the first line of an error, or its type."""
    if isinstance(error, MemoryError) or out_of_memory(error):
        return "it says that it is larger than the memory"
    lines = str(error).split("\n")
    return (lines[0].strip() or type(error).__name__)[:200]


def _stub(module: str, name: str) -> type:
    """Return an empty class with the full name of another class."""
    return type(name, (), {"__module__": module})
