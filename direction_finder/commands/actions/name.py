"""What `direction-finder name` does."""

from dataclasses import replace
from pathlib import Path

import click

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import DIRECTIONS


def name(target: Path, direction: str, text: str | None) -> None:
    """Name a direction of a run: then TEXT can be given wherever its number can. Without TEXT its name goes."""
    directions = Directions.load(target)
    index = directions.find(direction)
    if text is not None and (not text.strip() or "," in text or text[0].isdigit() or text == "all"):
        raise InputError(f"name {text!r}: expected a word that is no number, not the word all, and has no comma")
    if text and text in directions.names and directions.names.index(text) != index:
        raise InputError(f"name {text!r}: direction {directions.names.index(text)} has it already")
    names = [*directions.names]
    names[index] = text
    replace(directions, names=tuple(names)).save(target / DIRECTIONS if target.is_dir() else target)
    click.echo(f"direction {index}: {text or 'no name'}")
