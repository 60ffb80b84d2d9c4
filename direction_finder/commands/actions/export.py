"""Carry out `direction-finder export`."""

from pathlib import Path

from direction_finder.commands.actions.shared import writing
from direction_finder.commands.printing import say, tell
from direction_finder.directions import Directions
from direction_finder.interop import export_directions


def export(target: Path, out: Path, searched: bool, force: bool) -> None:
    """Write the directions of a run as a matrix for NumPy (.npy) or torch (.pt), with one direction per row."""
    directions = Directions.load(target)
    with writing(target, out, force):
        export_directions(directions, out, searched=searched)
    say(out)
    if any(directions.layers):
        tell("These directions act on some layers only. A matrix cannot contain that: note it separately.")
    if any(directions.curves):
        tell("These directions are curved. The matrix contains the straight ones.")
