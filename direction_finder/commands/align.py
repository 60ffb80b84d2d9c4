"""Define `direction-finder align`, which sets every sample to the same value along a direction."""

from pathlib import Path

import click

from direction_finder.commands import completion
from direction_finder.commands.numbers import CoordinateOrPercentile
from direction_finder.commands.option_values import Coordinate, Drawing
from direction_finder.commands.options import (
    editing_options,
    force_option,
    samples_option,
)
from direction_finder.commands.paths import Place, RunPath


@click.command(
    epilog="Example: direction-finder align outputs/00001-hessian-eyes-blue --direction 5 --to -2 --to 0 --to 2"
)
@click.argument("target", type=RunPath())
@click.option(
    "--direction",
    shell_complete=completion.directions,
    required=True,
    metavar="NUMBER",
    help="Direction to align along: its number or name.",
)
@click.option(
    "--to",
    type=CoordinateOrPercentile(),
    multiple=True,
    help="Coordinate to set, or a percentile of the coordinates of random samples, e.g. 75%; repeat for several rows.  "
    "[default: 0, and the ends of the usable range]",
)
@samples_option
@click.option(
    "--out", type=Place(folder=False), help="File to write, .png.  [default: align-NUMBER.png in the run folder]"
)
@force_option
@editing_options
def align(
    target: Path,
    direction: str,
    to: tuple[Coordinate, ...],
    samples: int | Path,
    out: Path | None,
    force: bool,
    drawing: Drawing,
) -> None:
    """Render samples unchanged, and with their coordinate along one direction set to the same value.

    TARGET is a run folder, a directions file, or "latest" for the newest run. The sheet has the original samples in its
    first row, then one row for each value.
    """
    from direction_finder.commands.actions import align as action

    action.align(target, direction, to, samples, out, force, drawing)
