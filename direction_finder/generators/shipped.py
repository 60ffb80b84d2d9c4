"""Find the small checkpoints that come with the package."""

from pathlib import Path

from direction_finder.errors import InputError

PACKAGE = Path(__file__).parent.parent


def shipped(name: str) -> Path:
    """Return the folder or file of this name under `checkpoints/`, in an installed package or in a source tree.

    Raises InputError if it is in neither.
    """
    paths = [parent / "checkpoints" / name for parent in (PACKAGE, PACKAGE.parent)]
    for path in paths:
        if path.exists():
            return path
    raise InputError(f"{name}: not in {paths[0].parent}; install the package again")
