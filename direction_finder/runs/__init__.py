"""Run folders: `config.json` first, then a log, a state to go on from, and what was found or trained."""

from typing import TYPE_CHECKING

from direction_finder.lazy import attach

if TYPE_CHECKING:
    from direction_finder.runs.folder import Run
    from direction_finder.runs.latest import newest_run
    from direction_finder.runs.learning import learn
    from direction_finder.runs.opened import OpenRun, open_run
    from direction_finder.runs.target import Loader, Target
    from direction_finder.runs.training import finetune, train

__all__ = ["Loader", "OpenRun", "Run", "Target", "finetune", "learn", "newest_run", "open_run", "train"]
_HOMES = {
    "Loader": "target",
    "OpenRun": "opened",
    "Run": "folder",
    "Target": "target",
    "finetune": "training",
    "learn": "learning",
    "newest_run": "latest",
    "open_run": "opened",
    "train": "training",
}
__getattr__, __dir__ = attach(__name__, _HOMES)
