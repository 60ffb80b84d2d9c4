"""Define `direction-finder render grid` and `render video`, which show what each direction does."""

from pathlib import Path

import click

from direction_finder.commands import completion
from direction_finder.commands.numbers import Number, Whole
from direction_finder.commands.option_values import Drawing, Walking
from direction_finder.commands.options import (
    SHOWN,
    editing_options,
    features_options,
    force_option,
    grouped,
    samples_option,
)
from direction_finder.commands.paths import Place, RunPath
from direction_finder.settings import FARTHEST

walking_options = grouped(
    "walking",
    Walking,
    click.option(
        "--directions",
        shell_complete=completion.directions,
        metavar="NUMBERS",
        help="Directions to show: numbers like 0-7,12, names, or all.  [default: those that `rank` listed, or 0-7]",
    ),
    samples_option,
    click.option(
        "--extent",
        type=Number(least=1e-6, most=FARTHEST),
        metavar="NUMBER",
        help="How far to follow each direction, both ways, in standard deviations of z.  [default: the direction's "
        "usable range, which `rank` measures, or 3]",
    ),
    click.option(
        "--even",
        is_flag=True,
        help="Space the steps so that each one changes the image by the same amount, on average over the samples.",
    ),
    features_options,
    click.option(
        "--absolute",
        is_flag=True,
        help="Set each sample's coordinate along the direction, instead of adding to it.",
    ),
    click.option("--out", type=Place(folder=False), help="File to write.  [default: a file in the run folder]"),
    force_option,
)


@click.group()
def render() -> None:
    """Render grids and videos that show what directions do.

    \b
    direction-finder render grid latest
    direction-finder render video latest
    """


@render.command(
    epilog="Example: direction-finder render grid outputs/00001-hessian-eyes-blue --directions 0-3 --samples 4"
)
@click.argument("target", type=RunPath())
@click.option(
    "--layout",
    type=click.Choice(["blocks", "overview", "pair"]),
    default="blocks",
    show_default=True,
    help="How the sheet is arranged. blocks: one block per direction, with samples down and steps across. overview: "
    "samples down, directions across, each at its full extent. pair: one block per sample, with the first of two "
    "directions across and the second down.",
)
@click.option(
    "--steps",
    default=7,
    show_default=True,
    type=Whole(least=2, most=1000),
    help="Number of images along each direction.",
)
@walking_options
@editing_options
def grid(target: Path, layout: str, steps: int, walking: Walking, drawing: Drawing) -> None:
    """Render a labelled sheet of images that follow directions, as .png.

    TARGET is a run folder, a directions file, or "latest" for the newest run. The rows and columns show how random
    samples change along each direction.
    """
    from direction_finder.commands.actions import render as action

    action.grid(target, layout, steps, walking, drawing)


@render.command(
    epilog="Example: direction-finder render video outputs/00001-hessian-eyes-blue --directions 0-7 --seconds 4"
)
@click.argument("target", type=RunPath())
@click.option(
    "--seconds", default=4.0, show_default=True, type=Number(least=0.01, most=3600), help="Length of one loop."
)
@click.option("--fps", default=30, show_default=True, type=Whole(least=1, most=120), help="Frames per second.")
@click.option(
    "--rows",
    default=SHOWN,
    show_default=True,
    type=Whole(least=1, most=1000),
    help="Number of directions shown at once; further ones follow one after another.",
)
@walking_options
@editing_options
def video(target: Path, seconds: float, fps: int, rows: int, walking: Walking, drawing: Drawing) -> None:
    """Render a video of samples that move along directions and back, as .mp4 or .gif.

    TARGET is a run folder, a directions file, or "latest" for the newest run. The ending of --out chooses the format.
    """
    from direction_finder.commands.actions import render as action

    action.video(target, seconds, fps, rows, walking, drawing)
