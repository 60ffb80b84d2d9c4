"""Define `direction-finder measure`, which measures runs and generators."""

import click

from direction_finder.commands.numbers import BATCH, SEED, SamplesOrFile
from direction_finder.commands.option_values import Measuring
from direction_finder.commands.options import (
    class_option,
    device_option,
    features_options,
    generator_option,
    given_options,
    grouped,
)
from direction_finder.commands.paths import Place, Text
from direction_finder.settings import METRICS, PLACES, READERS

FOLDER = Place(exists=True, file=False)


@click.command(epilog="Example: direction-finder measure outputs/demo --metric factors --metric alignment")
@click.argument("targets", type=Text(), nargs=-1, required=True)
@grouped(
    "options",
    Measuring,
    click.option(
        "--metric",
        "metrics",
        multiple=True,
        required=True,
        type=click.Choice(METRICS),
        help="What to measure; repeat for several. factors: how far each direction changes each known factor. "
        "alignment: how much of a factor's spread remains after aligning along the direction that changes it most. "
        "diagonality: D% and D_R, how diagonal the Hessians of the pixels are along the directions. share: how much of "
        "the energy of new Hessians lies on their diagonals. activeness: how much the image varies as a direction's "
        "coordinate is set to -2, 0 and 2. paths: how far images change for a small step along each direction. ppl: "
        "perceptual path length of the generator. fid and kid: distances to real images. fidelity: comparison with "
        "renders.",
    ),
    click.option(
        "--factor-network",
        type=Place(exists=True, folder=False),
        help="Network that reads factors in images, made by `train factors`.  [default: the one for `shapes` at 64 "
        "pixels]",
    ),
    click.option(
        "--reader",
        type=click.Choice(READERS),
        default=READERS[0],
        show_default=True,
        help="What reads factors in images: the factor network, or geometry of pixels, which checks it. The second "
        "reads `shapes` at 64 pixels.",
    ),
    click.option(
        "--samples",
        type=SamplesOrFile(2),
        help="Number of random samples, or a file of samples.  [default: 256; diagonality and paths 100, share 64, "
        "activeness 300, ppl 1000, fid and kid 5000, fidelity as many as renders]",
    ),
    class_option,
    click.option("--real", type=FOLDER, help="Real images for fid and kid: a data set or a folder."),
    click.option(
        "--place",
        type=click.Choice(PLACES),
        default=PLACES[0],
        show_default=True,
        help="For ppl: take the step at the end of a path, as in its paper, or anywhere on it (full).",
    ),
    features_options,
    click.option("--renders", type=FOLDER, help="For fidelity: renders that were not used in training."),
    click.option("--other-renders", type=FOLDER, help="For fidelity: more renders, to compare with."),
    click.option("--seed", default=0, show_default=True, type=SEED, help="Seed of the random samples."),
    click.option(
        "--max-batch",
        default=32,
        show_default=True,
        type=BATCH,
        help="Images rendered at once, at most.",
    ),
    click.option(
        "--name",
        "write_names",
        is_flag=True,
        help="Name the directions after the factors that they change, so that x can be used instead of a number.",
    ),
    click.option(
        "--again",
        is_flag=True,
        help="Compute the results again from the raw measurements that a run folder holds, without the generator.",
    ),
    click.option(
        "--straight",
        is_flag=True,
        help="Measure directions without their curves. Results are then not saved in the run folder.",
    ),
    click.option(
        "--out",
        type=Place(file=False),
        help="Folder for measures.json, measures.md with a table of all targets, and figures that compare them.",
    ),
    click.option(
        "--dry-run",
        is_flag=True,
        help="Print what each metric would cost, judging by a part of it, and write nothing.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the results as JSON."),
    generator_option,
    device_option,
)
def measure(targets: tuple[str, ...], options: Measuring) -> None:
    """Measure run folders, directions files or generators; several are compared in a table.

    TARGETS are run folders, directions files, "latest" or names of generators. Each metric of a run is saved in its
    folder as METRIC.json, with figures as PNG and SVG, and as part of the page index.html. Raw measurements are saved
    in raw/. Repeat a stopped command to resume it.
    """
    from direction_finder.commands.actions import measure as action

    action.measure(targets, options, given_options(click.get_current_context()))
