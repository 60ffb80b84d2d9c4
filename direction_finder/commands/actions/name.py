"""Carry out `direction-finder name`."""

from pathlib import Path

import click

from direction_finder.directions import Directions
from direction_finder.files import DIRECTIONS


def name(target: Path, direction: str, text: str | None) -> None:
    """Give a direction of a run a name, or remove it if `text` is None."""
    directions = Directions.load(target)
    index = directions.find(direction)
    directions.named(index, text).save(target / DIRECTIONS if target.is_dir() else target)
    click.echo(f"direction {index}: {text or 'no name'}")
