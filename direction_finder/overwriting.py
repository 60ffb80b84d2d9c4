"""Refuse to replace a file that is not of the kind being written, or that somebody else made."""

from pathlib import Path

from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY
from direction_finder.tensor_files import read_metadata

PNG, GIF, MP4, HTML = "a PNG image", "a GIF", "an MP4 video", "an HTML page"
NPY, TORCH, RECIPE, DIRECTIONS = "a NumPy array", "a torch file", "a recipe", "a directions file"
OF_ENDING = {".png": PNG, ".gif": GIF, ".mp4": MP4, ".html": HTML, ".npy": NPY, ".pt": TORCH, ".pth": TORCH}
STARTS = {
    b"\x89PNG\r\n\x1a\n": PNG,
    b"GIF8": GIF,
    b"\x93NUMPY": NPY,
    b"PK\x03\x04": TORCH,
    b"<!doctype html": HTML,
}
ENDS = 1 << 16  # bytes at both ends of a file in which it says that we wrote it
MARKS = (b"direction-finder", METADATA_KEY.encode())
OTHER = "a file of another kind"


def check_overwrite(path: str | Path, kind: str, *, force: bool = True) -> None:
    """Raise InputError if a file exists at `path` and is of another kind; an empty file may always be replaced.

    kind: one of the kinds above, or that of a safetensors file. force: also replace files that we did not write.
    """
    path = Path(path)
    if not path.exists():
        return
    if not path.is_file():
        raise InputError(f"{path}: exists and is not a file; give another name")
    if not path.stat().st_size:
        return
    found = kind_of(path)
    if found != kind:
        raise InputError(f"{path}: exists and is {found}, not {kind}; give another name, or remove it yourself")
    if not force and not _ours(path):
        raise InputError(f"{path}: exists and was not written by direction-finder; give another name, or --force")


def kind_of(path: Path) -> str:
    """Return what a file is, by its first bytes or, for ours, by what it says."""
    with open(path, "rb") as file:
        head = file.read(64)
    for start, kind in STARTS.items():
        if head[: len(start)].lower() == start.lower():
            return kind
    if head[4:8] == b"ftyp":
        return MP4
    if head[8:9] == b"{":
        return _safetensors(path)
    return _json(path) if head.lstrip()[:1] == b"{" else OTHER


def _safetensors(path: Path) -> str:
    """Return the kind that the metadata of one of our safetensors files names; directions files name none."""
    try:
        metadata = read_metadata(path, dict)
    except InputError:
        return OTHER
    return OTHER if metadata is None else str(metadata.get("kind", DIRECTIONS))


def _json(path: Path) -> str:
    with open(path, "rb") as file:
        text = file.read(1 << 24)
    return RECIPE if b'"format": "direction-finder recipe' in text else OTHER


def _ours(path: Path) -> bool:
    """Return whether a file says that this package wrote it."""
    with open(path, "rb") as file:
        ends = file.read(ENDS)
        file.seek(max(0, path.stat().st_size - ENDS))
        ends += file.read()
    return any(mark in ends for mark in MARKS)
