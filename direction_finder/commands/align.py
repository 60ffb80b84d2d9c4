"""`direction-finder align`: the same value along a direction for every sample."""

from pathlib import Path

import click

from direction_finder.commands import completion
from direction_finder.commands.given import Coordinate, Drawing
from direction_finder.commands.options import (
    CoordinateOrPercentile,
    RunPath,
    drawing_options,
    samples_option,
)


@click.command(
    epilog="Example: direction-finder align outputs/00001-hessian-eyes-blue --direction 5 --to -2 --to 0 --to 2"
)
@click.argument("target", type=RunPath())
@click.option(
    "--direction", shell_complete=completion.directions, required=True, metavar="NUMBER", help="Which direction."
)
@click.option(
    "--to",
    type=CoordinateOrPercentile(),
    multiple=True,
    help="Coordinate to set, or a percentile of the samples' own, e.g. 75%; repeat for several rows.  [default: 0, and "
    "the ends of the usable range]",
)
@samples_option
@click.option(
    "--out", type=click.Path(path_type=Path), help="File to write, .png.  [default: align-NUMBER.png in the run folder]"
)
@drawing_options
def align(
    target: Path,
    direction: str,
    to: tuple[Coordinate, ...],
    samples: int | Path,
    out: Path | None,
    drawing: Drawing,
) -> None:
    """Draw samples as they are and aligned: their component along a direction removed and set to a value.

    As in the paper's Fig. 7: the original row, then a row for each value.
    """
    from direction_finder.commands.actions import align as action

    action.align(target, direction, to, samples, out, drawing)
