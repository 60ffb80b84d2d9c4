"""`direction-finder page`: what a run holds, on one HTML page."""

from pathlib import Path

import click

from direction_finder.commands.options import RunPath


@click.command(epilog="Example: direction-finder page outputs/demo")
@click.argument("target", type=RunPath(file_okay=False))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File.  [default: index.html in the run]")
def page(target: Path, out: Path | None) -> None:
    """Write one HTML page with a run's settings, scores, curves, pictures and films; it can be moved or sent alone.

    TARGET is a run of `learn`, `train` or `finetune`.
    """
    from direction_finder.commands.actions import page as action

    action.page(target, out)
