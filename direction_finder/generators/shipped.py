"""The small checkpoints that come with the package."""

from pathlib import Path

from direction_finder.errors import InputError

PACKAGE = Path(__file__).parent.parent


def shipped(name: str) -> Path:
    """The folder or file of this name under `checkpoints/`, in an installed package or beside a source tree's."""
    places = [parent / "checkpoints" / name for parent in (PACKAGE, PACKAGE.parent)]
    for place in places:
        if place.exists():
            return place
    raise InputError(f"{name}: not in {places[0].parent}; install the package again")
