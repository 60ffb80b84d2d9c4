"""Define `direction-finder gallery`, which lists all runs on one HTML page."""

from pathlib import Path

import click

from direction_finder.commands.options import force_option
from direction_finder.commands.paths import Place


@click.command(epilog="Example: direction-finder gallery outputs")
@click.argument("outputs", type=Place(exists=True, file=False))
@click.option(
    "--out",
    type=Place(folder=False),
    help="HTML file to write.  [default: index.html in the folder]",
)
@force_option
def gallery(outputs: Path, out: Path | None, force: bool) -> None:
    """Write one HTML page that lists all runs in a folder, with images along their best directions.

    OUTPUTS is a folder of run folders. The images are those that `page` rendered, and each run links to its own page.
    """
    from direction_finder.commands.actions import gallery as action

    action.gallery(outputs, out, force)
