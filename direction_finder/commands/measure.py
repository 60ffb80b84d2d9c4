"""`direction-finder measure`: numbers for runs and generators."""

from pathlib import Path

import click

from direction_finder.commands.given import Measuring
from direction_finder.commands.options import (
    SamplesOrFile,
    class_option,
    device_option,
    features_options,
    generator_option,
    grouped,
)
from direction_finder.settings import METRICS, PLACES

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(epilog="Example: direction-finder measure outputs/demo --metric factors --metric alignment")
@click.argument("targets", nargs=-1, required=True)
@grouped(
    "options",
    Measuring,
    click.option(
        "--metric",
        "metrics",
        multiple=True,
        required=True,
        type=click.Choice(METRICS),
        help="factors: what each direction does to each known factor, and the scores. alignment: what is left of each "
        "factor's spread when samples are aligned along the direction that moves it most. hessians: D% and D_R, how "
        "diagonal the pixels' Hessians are in these directions. share: the part of held-out Hessians' energy that a "
        "basis puts on their diagonals. activeness: how much the picture varies as the coordinate along each is set to "
        "-2, 0, 2. paths: how far pictures move for a small step along each. Of generators too: ppl, perceptual path "
        "length; fid and kid, distances to real pictures; fidelity, against renders. Repeat for "
        "several.",
    ),
    click.option(
        "--factor-network",
        type=click.Path(dir_okay=False, path_type=Path),
        help="What reads the factors (`train factors` makes one).  [default: the one for `shapes` at 64 pixels]",
    ),
    click.option(
        "--samples",
        type=SamplesOrFile(2),
        help="Latents, or a file of them.  [default: 256; hessians and paths 100, share 64, activeness 300, "
        "ppl 1000, fid and kid 5000, fidelity as many as renders]",
    ),
    class_option,
    click.option("--real", type=FOLDER, help="For fid and kid: a data set, or a folder of images."),
    click.option(
        "--place",
        type=click.Choice(PLACES),
        default=PLACES[0],
        show_default=True,
        help="For ppl: the step is taken at the end of a path, as the paper's, or anywhere on it (full).",
    ),
    features_options,
    click.option("--renders", type=FOLDER, help="For fidelity: renders that nothing was trained on."),
    click.option("--other-renders", type=FOLDER, help="For fidelity: more renders, to compare."),
    click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the latents."),
    click.option("--max-batch", default=32, show_default=True, type=click.IntRange(1), help="Largest batch."),
    click.option(
        "--name",
        "write_names",
        is_flag=True,
        help="Name the directions after the factors that they move: then x can be given for a direction's number.",
    ),
    click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder for measures.json and measures.md, a table of all targets, and figures of them side by side.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    generator_option,
    device_option,
)
def measure(targets: tuple[str, ...], options: Measuring) -> None:
    """Measure run folders, directions files or generators; several are set side by side in a table.

    Each metric of a run is written beside its directions as a file of its name, with figures as PNG and SVG, and all of
    it as one page, index.html. A command that was stopped goes on where it was when it is given again.
    """
    from direction_finder.commands.actions import measure as action

    action.measure(targets, options)
