"""`direction-finder rank`: a short list of directions, with reasons."""

from pathlib import Path
from typing import Literal

import click

from direction_finder.commands.given import Drawing
from direction_finder.commands.options import RunPath, SamplesOrFile, drawing_options


@click.command(epilog="Example: direction-finder rank outputs/demo --with outputs/demo-seed-1")
@click.argument("target", type=RunPath())
@click.option(
    "--with",
    "others",
    multiple=True,
    type=RunPath(),
    help="Another run, of another seed or method, to agree with; repeat for several.",
)
@click.option("--most", default=8, show_default=True, type=click.IntRange(1), help="Length of the short list.")
@click.option(
    "--samples",
    default=16,
    show_default=True,
    type=SamplesOrFile(2),
    help="Latents on which activeness is measured, or a file of them.",
)
@click.option(
    "--hessians",
    default=16,
    show_default=True,
    type=click.IntRange(0),
    help="Hessians that are measured along the directions; 0: none, for large generators without a GPU.",
)
@click.option(
    "--ranges",
    type=click.Choice(["listed", "all", "none"]),
    default="listed",
    show_default=True,
    help="Whose usable range is measured and kept, the default extent of `render` and `align`: as far as pictures stay "
    "such as random z give.",
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
    """Say which directions matter, and why; `render` then shows these unless told otherwise.

    Signals: energy in one chunk of z (or effect from one third of the layers), energy on the diagonal of Hessians,
    activeness, and agreement with other runs, each beside what random directions give. Where `measure --metric factors`
    was taken, what each direction moves is shown too, but not ranked by. What was ranked is kept in rank.json.
    """
    from direction_finder.commands.actions import rank as action
    from direction_finder.reports.ranking import Settings

    count = samples if isinstance(samples, int) else 0
    action.rank(target, others, samples, Settings(most, count, hessians, ranges), drawing)
