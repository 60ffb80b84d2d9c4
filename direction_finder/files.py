"""Read and write files so that each one is either complete or absent."""

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from platform import node
from typing import Any

from direction_finder.errors import InputError

CONFIG, LOG, STATE, DIRECTIONS = "config.json", "log.jsonl", "state.safetensors", "directions.safetensors"  # of a run
RANK, PAGE, PREVIEWS = "rank.json", "index.html", "previews"  # other contents of a run folder
STRIPS = "strips.safetensors"  # images along directions, for the page
METADATA_KEY = "direction_finder"  # the one metadata key of our safetensors files; its value is sorted JSON
TEMPORARY = ".part-"  # start of the names of temporaries, before host, process and a random number
HOST = hashlib.sha256(node().encode()).hexdigest()[:8]
ABANDONED = 86400.0  # seconds after which a temporary of another machine counts as left by a dead process
DEVICES = Path("/dev")  # where /dev/stdout may be a link to a file
LARGEST = 1 << 28  # bytes of a JSON file
DEEPEST = 100  # levels of lists and objects in a JSON file
_swept: set[Path] = set()  # folders in which this process has deleted such temporaries


def cache_folder() -> Path:
    """Return the folder for downloads: $DIRECTION_FINDER_CACHE, or `direction-finder` in the user's cache."""
    own = os.environ.get("DIRECTION_FINDER_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "direction-finder"


def settings_folder() -> Path:
    """Return the folder for settings: $DIRECTION_FINDER_CONFIG, or `direction-finder` in the system's usual place."""
    if own := os.environ.get("DIRECTION_FINDER_CONFIG"):
        return Path(own)
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", Path.home())) / "direction-finder"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "direction-finder"
    return Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "direction-finder"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield the path of a new, empty file beside `path`; rename it to `path` on success, delete it on any failure.

    Its name is unique, so several processes can write one file at once; the last one wins. The file and its folder are
    flushed to the disk. Temporaries that dead processes left in the folder are deleted.
    Raises InputError if `path` is something other than a file, e.g. a device or a folder.
    """
    path = Path(path)
    if (path.exists() and not path.is_file()) or path.absolute().parent == DEVICES:
        raise InputError(f"{path}: exists and is not a file; give the name of a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent not in _swept:
        _swept.add(path.parent)
        sweep(path.parent)
    part = path.with_name(f"{TEMPORARY}{HOST}-{os.getpid()}-{os.urandom(4).hex()}{path.suffix}")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield part
        _flush(part)
        os.replace(part, path)
        _flush(path.parent)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename in (None, part, str(part)):  # e.g. a full disk
            error.filename = str(path)
        raise


def sweep(folder: Path) -> None:
    """Delete the temporaries in a folder that processes left when they died."""
    for part in folder.glob(f"{TEMPORARY}*"):
        host, _, rest = part.name.removeprefix(TEMPORARY).partition("-")
        process = rest.partition("-")[0]
        with suppress(OSError):  # another process may be sweeping too
            if _dead(process) if host == HOST else time.time() - part.stat().st_mtime > ABANDONED:
                part.unlink()


def _dead(process: str) -> bool:
    """Return whether no process of this machine has this number."""
    if not process.isdecimal() or sys.platform == "win32":  # where signal 0 would end the process
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:  # a process of another user
        return False
    return False


def _flush(path: Path) -> None:
    """Write what the system holds of a file or folder to the disk."""
    if sys.platform == "win32":  # where only files opened for writing can be flushed, and folders cannot
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as sorted, indented JSON, atomically."""
    with replacing(path) as part:
        part.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: str | Path, kind: Any = Any) -> Any:
    """Return the content of a JSON file, unchanged, after checking that it is of the type `kind`.

    kind: any type that msgspec can check, usually a TypedDict; further keys are allowed. Raises InputError if the file
    is missing, too large, not JSON, or of another type; the message says where in the file.
    """
    return parse_json(json_bytes(path), str(path), kind)


def json_bytes(path: str | Path, expected: str = "") -> bytes:
    """Return the bytes of a file of JSON. Raises InputError as `existing_file` does, and if the file is too large."""
    if (size := existing_file(path, expected).stat().st_size) > LARGEST:
        raise InputError(f"{path}: {size / 1e6:,.0f} MB, far more than any JSON file of ours; give another file")
    return Path(path).read_bytes()


def existing_file(path: str | Path, expected: str = "") -> Path:
    """Return the path of a file that exists. expected: what the message adds, e.g. "expected latents".

    Raises InputError for anything else: a missing file, an impossible name, a folder, or a pipe, which has no end.
    """
    path, more = Path(path), f"; {expected}" if expected else ""
    try:
        if path.is_file():
            return path
        kind = "a folder" if path.is_dir() else "not a file" if path.exists() else "no such file"
    except OSError as error:  # a name too long, a folder that may not be entered
        raise InputError(f"{path}: {error.strerror}{more}") from error
    raise InputError(f"{path}: {kind}{more}")


def parse_json(data: bytes | str, source: str, kind: Any = Any) -> Any:
    """Return the content of a JSON text as `read_json` does. source: the start of error messages."""
    import msgspec

    try:
        content = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        content = _lenient(data, f"{source}: not JSON ({error})", error)
    if _is_deep(content):
        raise InputError(f"{source}: more than {DEEPEST} levels deep, which none of our files is")
    return checked(content, source, kind)


def _is_deep(content: Any) -> bool:
    """Return whether lists and objects are nested so deeply that code which walks through them may fail."""
    level = [content]
    for _ in range(DEEPEST):
        inner = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [each for values in inner for each in values if isinstance(each, dict | list)]
        if not level:
            return False
    return True


def _lenient(data: bytes | str, message: str, error: Exception) -> Any:
    """Return the content of JSON with NaN or infinite numbers, which versions before 0.3 could write."""
    text = data.decode(errors="replace") if isinstance(data, bytes) else data
    if not ("NaN" in text or "Infinity" in text):
        raise InputError(message) from error
    try:
        content = json.loads(text)
        json.dumps(content, ensure_ascii=False).encode()  # half characters are no text
        return content
    except (ValueError, RecursionError) as second:
        raise InputError(message) from second


def checked(content: Any, source: str, kind: Any) -> Any:
    """Return `content` unchanged if it is of the type `kind`; otherwise raise InputError that says where it is not."""
    import msgspec

    try:
        msgspec.convert(content, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        reason = str(error).replace("`", "").replace(" - at $.", ", at ").replace(" - at $", ", at ")
        raise InputError(f"{source}: {reason[0].lower()}{reason[1:]}") from error
    return content


def file_sha256(path: str | Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
