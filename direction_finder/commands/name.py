"""Define `direction-finder name`, which gives a direction a name."""

from pathlib import Path

import click

from direction_finder.commands import completion
from direction_finder.commands.paths import RunPath


@click.command(epilog="Example: direction-finder name outputs/demo 5 rotation")
@click.argument("target", type=RunPath())
@click.argument("direction", shell_complete=completion.directions)
@click.argument("text", required=False)
def name(target: Path, direction: str, text: str | None) -> None:
    """Give a direction of a run the name TEXT, which can then be used instead of its number.

    TARGET is a run folder, a directions file, or "latest" for the newest run. DIRECTION is a number, or the current
    name. Without TEXT, the name is removed.
    """
    from direction_finder.commands.actions import name as action

    action.name(target, direction, text)
