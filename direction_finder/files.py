"""Read and write files so that each one is either complete or absent."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from direction_finder.errors import InputError

CONFIG, LOG, STATE, DIRECTIONS = "config.json", "log.jsonl", "state.safetensors", "directions.safetensors"  # of a run
RANK, PAGE, PREVIEWS = "rank.json", "index.html", "previews"  # other contents of a run folder
METADATA_KEY = "direction_finder"  # the one metadata key of our safetensors files; its value is sorted JSON


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
    """Yield a temporary path beside `path`; rename it to `path` on success, delete it on any failure."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as sorted, indented JSON, atomically."""
    with replacing(path) as part:
        part.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Return the contents of a JSON file. Raises InputError if it is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error})") from error


def file_sha256(path: str | Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
