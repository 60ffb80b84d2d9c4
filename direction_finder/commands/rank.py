"""Define `direction-finder rank`, which lists the directions that matter, with reasons."""

from pathlib import Path
from typing import Literal

import click

from direction_finder.commands.numbers import SamplesOrFile, Whole
from direction_finder.commands.option_values import Drawing
from direction_finder.commands.options import drawing_options
from direction_finder.commands.paths import RunPath


@click.command(epilog="Example: direction-finder rank outputs/demo --with outputs/demo-seed-1")
@click.argument("target", type=RunPath())
@click.option(
    "--with",
    "others",
    multiple=True,
    type=RunPath(),
    help="Run with another seed or method, to check which directions agree; repeat for several.",
)
@click.option("--most", default=8, show_default=True, type=Whole(least=1), help="Greatest length of the short list.")
@click.option(
    "--samples",
    default=16,
    show_default=True,
    type=SamplesOrFile(2),
    help="Number of samples on which activeness is measured, or a file of samples.",
)
@click.option(
    "--hessians",
    default=16,
    show_default=True,
    type=Whole(least=0, most=10_000),
    help="Number of Hessians measured along the directions; use 0 for large generators without a GPU.",
)
@click.option(
    "--ranges",
    type=click.Choice(["listed", "all", "none"]),
    default="listed",
    show_default=True,
    help="Directions whose usable range is measured: how far one can follow them before images leave the normal range. "
    "It is saved as the default extent of `render` and `align`.",
)
@drawing_options
def rank(
    target: Path,
    others: tuple[Path, ...],
    most: int,
    samples: int | Path,
    hessians: int,
    ranges: Literal["listed", "all", "none"],
    drawing: Drawing,
) -> None:
    """List the directions that stand out, and why. By default, `render` then shows these.

    TARGET is a run folder, a directions file, or "latest" for the newest run. Each direction gets several signals,
    which are compared with those of random directions:

    \b
    localised   how much of it lies in one chunk of z, or acts in one third of the layers
    diagonal    how little it interacts with other directions (energy on the diagonal of Hessians)
    activeness  how much it changes the image
    separate    how little it moves what other directions move (1 - side effects)
    steady      how little the best direction at a point turns from point to point (distortion)
    agreement   how close it is to a direction of another run (--with)

    After `measure --metric factors`, the factor that each direction changes is shown too. Results are saved in
    rank.json.
    """
    from direction_finder.commands.actions import rank as action
    from direction_finder.reports.ranking import Settings

    count = samples if isinstance(samples, int) else 0
    action.rank(target, others, samples, Settings(most, count, hessians, ranges), drawing)
