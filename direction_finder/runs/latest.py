"""Replace the word "latest" by the newest run."""

from pathlib import Path
from typing import Any

from direction_finder.errors import InputError
from direction_finder.files import CONFIG


def newest_run(value: Any) -> Any:
    """Return the newest run's folder for the word "latest", and any other value unchanged."""
    if str(value) != "latest" or Path(value).exists():
        return value
    configs = sorted(Path("outputs").glob(f"*/{CONFIG}"), key=lambda path: (path.stat().st_mtime_ns, path))
    if not configs:
        raise InputError("latest: this folder has no runs under outputs/; name a run folder")
    return configs[-1].parent
