"""Define `direction-finder page`, which shows a run on one HTML page."""

from pathlib import Path

import click

from direction_finder.commands.options import force_option
from direction_finder.commands.paths import Place, RunPath


@click.command(epilog="Example: direction-finder page outputs/demo")
@click.argument("target", type=RunPath(file=False))
@click.option(
    "--out",
    type=Place(folder=False),
    help="HTML file to write.  [default: index.html in the run folder]",
)
@force_option
def page(target: Path, out: Path | None, force: bool) -> None:
    """Write one HTML page with a run's settings, scores, curves, images and videos.

    TARGET is the folder of a run of `learn`, `train` or `finetune`, or "latest". The page needs no other files, so it
    can be moved or sent.
    """
    from direction_finder.commands.actions import page as action

    action.page(target, out, force)
