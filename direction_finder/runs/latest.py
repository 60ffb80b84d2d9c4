"""The word "latest", which stands for the newest run."""

from pathlib import Path
from typing import Any

from direction_finder.errors import InputError
from direction_finder.files import CONFIG


def newest_run(value: Any) -> Any:
    """Return the newest run's folder for the word "latest", and everything else as it is."""
    if str(value) != "latest" or Path(value).exists():
        return value
    found = sorted(Path("outputs").glob(f"*/{CONFIG}"), key=lambda path: (path.stat().st_mtime_ns, path))
    if not found:
        raise InputError("latest: there are no runs in outputs/ of this folder; name one")
    return found[-1].parent
