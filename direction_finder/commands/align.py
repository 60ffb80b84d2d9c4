"""Define `direction-finder align`, which sets every sample to the same value along one direction or several."""

from pathlib import Path

import click

from direction_finder.commands import completion
from direction_finder.commands.numbers import CoordinatesOrPercentiles
from direction_finder.commands.option_values import Coordinate, Drawing
from direction_finder.commands.options import (
    editing_options,
    force_option,
    keep_option,
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
    metavar="NUMBERS",
    help="Direction to align along: its number or name. Several, like 0,3, are set together.",
)
@click.option(
    "--to",
    type=CoordinatesOrPercentiles(),
    multiple=True,
    help="Coordinate to set, or a percentile of the coordinates of random samples, e.g. 75%; for several directions, "
    "one for each, e.g. 0,75%. Repeat for several rows.  [default: 0, and the ends of the usable range of a single "
    "direction]",
)
@keep_option
@samples_option
@click.option(
    "--out", type=Place(folder=False), help="File to write, .png.  [default: align-NUMBER.png in the run folder]"
)
@force_option
@editing_options
def align(
    target: Path,
    direction: str,
    to: tuple[tuple[Coordinate, ...], ...],
    keep: str | None,
    samples: int | Path,
    out: Path | None,
    force: bool,
    drawing: Drawing,
) -> None:
    """Render samples unchanged, and with their coordinates along one direction, or several, set to the same values.

    TARGET is a run folder, a directions file, or "latest" for the newest run. The sheet has the original samples in its
    first row, then one row for each value. With --keep, other coordinates stay as they are:

    \b
    direction-finder align outputs/demo --direction x,y --to 0,0 --to 0,1.5 --keep size
    """
    from direction_finder.commands.actions import align as action

    action.align(target, direction, to, keep, samples, out, force, drawing)
