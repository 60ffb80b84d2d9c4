"""Read our safetensors files, whose metadata says what they hold, without trusting either."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY, existing_file, parse_json

if TYPE_CHECKING:
    from torch import Tensor

LARGEST = 4 << 30  # bytes; our directions, samples and networks need a thousandth of it


def read_metadata(path: str | Path, kind: Any = Any) -> Any:
    """Return the metadata of one of our safetensors files, unchanged; None if it has none of ours.

    kind: the type that it must have, usually a TypedDict, as for `files.read_json`. Neither torch nor a tensor is
    needed. Raises InputError if the file is missing, damaged, or not a file, or if the metadata is of another type.
    """
    with _opened(Path(path), "numpy") as file:
        return _metadata(file, path, kind)


def read_tensor_file(path: str | Path, kind: Any = Any) -> tuple[dict[str, Tensor], Any]:
    """Return all tensors of one of our safetensors files by name, and its metadata as `read_metadata` does."""
    from direction_finder.torch_files import check_content

    with _opened(Path(path), "pt") as file:
        metadata = _metadata(file, path, kind)  # before any tensor is read
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    check_content(tensors, Path(path))
    return tensors, metadata


def tensor_shapes(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the tensors of a safetensors file by name, without reading a tensor."""
    with _opened(Path(path), "numpy") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def _metadata(file: Any, path: str | Path, kind: Any) -> Any:
    content = (file.metadata() or {}).get(METADATA_KEY)
    return None if content is None else parse_json(content, f"{path}: its metadata", kind)


@contextmanager
def _opened(path: Path, framework: str) -> Iterator[Any]:
    """Open a safetensors file, whose size is at least what its header says; turn what is wrong into InputError."""
    from safetensors import SafetensorError, safe_open

    if existing_file(path).stat().st_size > LARGEST:
        raise InputError(f"{path}: larger than {LARGEST >> 30} GB, far more than such a file needs; give another file")
    try:
        with safe_open(path, framework=framework) as file:
            yield file
    except (SafetensorError, AttributeError, TypeError) as error:  # the latter for types of numbers of other frameworks
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not a readable safetensors file ({reason}); it may be cut short") from error
