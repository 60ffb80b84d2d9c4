"""Define `direction-finder page`, which shows a run on one HTML page."""

from pathlib import Path

import click

from direction_finder.commands.options import RunPath


@click.command(epilog="Example: direction-finder page outputs/demo")
@click.argument("target", type=RunPath(file_okay=False))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="HTML file to write.  [default: index.html in the run folder]",
)
def page(target: Path, out: Path | None) -> None:
    """Write one HTML page with a run's settings, scores, curves, images and videos.

    TARGET is the folder of a run of `learn`, `train` or `finetune`, or "latest". The page needs no other files, so it
    can be moved or sent.
    """
    from direction_finder.commands.actions import page as action

    action.page(target, out)
