"""`direction-finder render grid` and `render video`: what each direction does."""

from pathlib import Path

import click

from direction_finder.commands import completion
from direction_finder.commands.given import Drawing, Walking
from direction_finder.commands.options import (
    SHOWN,
    RunPath,
    drawing_options,
    features_options,
    grouped,
    samples_option,
)

walking_options = grouped(
    "walking",
    Walking,
    click.option(
        "--directions",
        shell_complete=completion.directions,
        metavar="NUMBERS",
        help="Which, e.g. 0-7,12, or all.  [default: those of `rank`, or the first 8]",
    ),
    samples_option,
    click.option(
        "--extent",
        type=click.FloatRange(0, min_open=True),
        metavar="NUMBER",
        help="How far to go, both ways.  [default: the direction's usable range, or 3]",
    ),
    click.option(
        "--even",
        is_flag=True,
        help="Space positions so that consecutive pictures are equally far apart, on average over the samples.",
    ),
    features_options,
    click.option("--absolute", is_flag=True, help="Set each sample's coordinate to the value, instead of adding it."),
    click.option("--out", type=click.Path(path_type=Path), help="File to write.  [default: in the run folder]"),
)


@click.group()
def render() -> None:
    """Draw grids and videos of the directions of a run (or of a directions file)."""


@render.command(
    epilog="Example: direction-finder render grid outputs/00001-hessian-eyes-blue --directions 0-3 --samples 4"
)
@click.argument("target", type=RunPath())
@click.option(
    "--layout",
    type=click.Choice(["blocks", "overview", "pair"]),
    default="blocks",
    show_default=True,
    help="blocks: each direction, samples down, steps across. overview: samples down, directions across, at full "
    "extent. pair: two directions, the first across, the second down, a block for each sample.",
)
@click.option("--steps", default=7, show_default=True, type=click.IntRange(2), help="Pictures along each direction.")
@walking_options
@drawing_options
def grid(target: Path, layout: str, steps: int, walking: Walking, drawing: Drawing) -> None:
    """Draw a labelled sheet of pictures along directions, as .png."""
    from direction_finder.commands.actions import render as action

    action.grid(target, layout, steps, walking, drawing)


@render.command(
    epilog="Example: direction-finder render video outputs/00001-hessian-eyes-blue --directions 0-7 --seconds 4"
)
@click.argument("target", type=RunPath())
@click.option(
    "--seconds", default=4.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Length of one loop."
)
@click.option("--fps", default=30, show_default=True, type=click.IntRange(1, 120), help="Frames per second.")
@click.option(
    "--rows",
    default=SHOWN,
    show_default=True,
    type=click.IntRange(1),
    help="Directions shown at once; more follow one after another.",
)
@walking_options
@drawing_options
def video(target: Path, seconds: float, fps: int, rows: int, walking: Walking, drawing: Drawing) -> None:
    """Film all samples moving along directions and back, as .mp4 (or .gif, by the ending of --out)."""
    from direction_finder.commands.actions import render as action

    action.video(target, seconds, fps, rows, walking, drawing)
