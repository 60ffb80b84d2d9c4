"""What `direction-finder name` does."""

from pathlib import Path

import click

from direction_finder.directions import Directions
from direction_finder.files import DIRECTIONS


def name(target: Path, direction: str, text: str | None) -> None:
    """Name a direction of a run: then TEXT can be given wherever its number can. Without TEXT its name goes."""
    directions = Directions.load(target)
    index = directions.find(direction)
    directions.named(index, text).save(target / DIRECTIONS if target.is_dir() else target)
    click.echo(f"direction {index}: {text or 'no name'}")
