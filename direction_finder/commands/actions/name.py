"""Carry out `direction-finder name`."""

from pathlib import Path

from direction_finder.commands.actions.shared import writing
from direction_finder.commands.printing import say
from direction_finder.directions import Directions
from direction_finder.files import DIRECTIONS


def name(target: Path, direction: str, text: str | None) -> None:
    """Give a direction of a run a name, or remove it if `text` is None."""
    with writing(target):
        directions = Directions.load(target)
        index = directions.find(direction)
        directions.named(index, text).save(target / DIRECTIONS if target.is_dir() else target)
    say(f"direction {index}: {text or 'no name'}")
