"""`direction-finder name`: call a direction what it does."""

from pathlib import Path

import click

from direction_finder.commands import completion
from direction_finder.commands.options import RunPath


@click.command(epilog="Example: direction-finder name outputs/demo 5 rotation")
@click.argument("target", type=RunPath())
@click.argument("direction", shell_complete=completion.directions)
@click.argument("text", required=False)
def name(target: Path, direction: str, text: str | None) -> None:
    """Name a direction of a run: then TEXT can be given wherever its number can. Without TEXT its name goes.

    DIRECTION is its number, or the name that it has.
    """
    from direction_finder.commands.actions import name as action

    action.name(target, direction, text)
