"""Define `direction-finder bend`, which curves directions."""

from pathlib import Path

import click

from direction_finder.commands.numbers import SEED, Whole
from direction_finder.commands.option_values import Drawing
from direction_finder.commands.options import batch_option, device_option, generator_option, grouped
from direction_finder.commands.paths import RunPath
from direction_finder.settings import FEWEST_BENT, MOST_ROWS


@click.command(epilog="Example: direction-finder bend outputs/demo")
@click.argument("target", type=RunPath())
@click.option(
    "--points",
    default=128,
    show_default=True,
    type=Whole(least=FEWEST_BENT, most=MOST_ROWS),
    help="Random points z at which it is measured how directions turn.",
)
@grouped(
    "drawing",
    Drawing,
    generator_option,
    click.option("--seed", default=0, show_default=True, type=SEED, help="Seed of the points."),
    batch_option,
    device_option,
)
def bend(target: Path, points: int, drawing: Drawing) -> None:
    """Curve directions, so that edits follow how they turn from point to point.

    TARGET is a run folder, a directions file, or "latest" for the newest run. At random points, the best basis is
    measured; each direction gets a curved coordinate whose gradient points as it does there, and stays straight where
    that predicts nothing. `render`, `align` and `edit` then follow the curves, at no further cost; with --straight they
    do not. If the command is stopped, repeat it to resume.
    """
    from direction_finder.commands.actions import bend as action

    action.bend(target, points, drawing)
