"""Recognise files without readable weights by their first bytes, and say what to do with them."""

import zipfile
from pathlib import Path

HEAD = 512  # bytes read to recognise a file
WRAP = "load it in a function of your own and give that function as python:FILE.py:function"
MAGIC = {
    b"\x89HDF\r\n\x1a\n": f"an HDF5 file, as Keras writes; {WRAP}",
    b"\x1f\x8b": "compressed by gzip; unpack it first",
    b"BZh": "compressed by bzip2; unpack it first",
    b"\xfd7zXZ": "compressed by xz; unpack it first",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself; run git lfs pull, or download the file",
    b"%PDF": "a PDF",
}
CUT = "damaged or cut short; download it again"


def looks_like_html(head: bytes) -> bool:
    """Return whether a file's first bytes are those of a web page, e.g. a quota or error page saved as weights."""
    return head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html", b"<?xml", b"<head"))


def is_safetensors(path: Path, head: bytes) -> bool:
    """Return whether a file begins like safetensors: with the length of a header, and the header."""
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= path.stat().st_size - 8


def is_numpy(path: Path, head: bytes) -> bool:
    """Return whether a file is a NumPy array, or an archive of them."""
    return head.startswith(b"\x93NUMPY") or all(name.endswith(".npy") for name in members(path) or [""])


def members(path: Path) -> list[str]:
    """Return the names in a zip archive; an empty list for any other file, or for an archive that is cut short."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        return []


def foreign(path: Path, head: bytes) -> str | None:
    """Return what kind of unreadable file this is, and what to do; None if it may contain weights."""
    if not head:
        return "the file is empty; download it again"
    if looks_like_html(head):
        return "a web page, not weights (an expired link or a quota page?); download it again"
    for magic, message in MAGIC.items():
        if head.startswith(magic):
            return message
    if path.suffix == ".onnx" or (head[:1] == b"\x08" and (b"onnx" in head or b"pytorch" in head)):
        return f"an ONNX file; {WRAP}"
    names = members(path)
    if any(name.endswith("/constants.pkl") or "/code/" in name for name in names):
        return (
            "a TorchScript archive, which holds code; return torch.jit.load(...) from a function of your own and give "
            "that function as python:FILE.py:function, with `dim`"
        )
    if names and not any(name.endswith("data.pkl") for name in names) and not is_numpy(path, head):
        return f"a zip archive of {names[0]} and {len(names) - 1} more; unpack it first"
    return None


def unread(path: Path, head: bytes, reason: str) -> str:
    """Return what is wrong with a file that torch cannot read without running code."""
    if head[:1] == b"\x80" and b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19" not in head:  # the magic number of old torch files
        return f"a pickle of Python objects, which could run code and is not opened; {WRAP}"
    if head[:2] in (b"PK", b"\x80\x02"):
        return f"{CUT} ({reason})" if reason else CUT
    return "not a torch file, or a damaged one; download it again"
