"""Create, resume and read run folders: settings, a log, a state to resume from, and the directions or generator."""

from typing import TYPE_CHECKING

from direction_finder.lazy import attach

if TYPE_CHECKING:
    from direction_finder.runs.api import finetune, learn, train
    from direction_finder.runs.folder import Run
    from direction_finder.runs.latest import newest_run
    from direction_finder.runs.loading import Loaded, Loader
    from direction_finder.runs.opened import OpenRun, open_run

__all__ = ["Loaded", "Loader", "OpenRun", "Run", "finetune", "learn", "newest_run", "open_run", "train"]
_HOMES = {
    "Loader": "loading",
    "OpenRun": "opened",
    "Run": "folder",
    "Loaded": "loading",
    "finetune": "api",
    "learn": "api",
    "newest_run": "latest",
    "open_run": "opened",
    "train": "api",
}
__getattr__, __dir__ = attach(__name__, _HOMES)
