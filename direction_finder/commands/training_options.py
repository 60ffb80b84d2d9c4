"""Define the options that `train` and `finetune` share."""

import click

from direction_finder.commands.numbers import Number, Whole
from direction_finder.commands.options import device_option, several, threads_option
from direction_finder.commands.paths import Place
from direction_finder.settings import MOST_PIXELS, MOST_ROWS

FOLDER = Place(file=False)


run_options = several(
    click.option("--out", type=FOLDER, help="Run folder to create.  [default: the next number under outputs/]"),
    click.option("--resume", type=FOLDER, help="Resume this run exactly where it stopped."),
)
how_options = several(
    click.option("--preview-every", default=250, show_default=True, type=Whole(least=0),
                 help="Steps between two sheets of samples; 0: none."),
    click.option("--save-every", default=120.0, show_default=True, type=Number(least=0), metavar="SECONDS",
                 help="Seconds between two saves of the state."),
    device_option,
    threads_option,
    click.option("--dry-run", is_flag=True,
                 help="Print the full configuration, and what the run would cost, judging by a few of its steps."),
)  # fmt: skip
score_options = several(
    click.option(
        "--score-every",
        default=25.0,
        show_default=True,
        type=Number(least=0),
        metavar="KIMG",
        help="Thousands of images between two scores of the fully grown generator (Frechet distance with "
        "EfficientNet-lite0); the best generator is saved; 0: never.",
    ),
    click.option(
        "--score-samples",
        default=1000,
        show_default=True,
        type=Whole(least=2, most=MOST_ROWS),
        help="Number of images per score.",
    ),
)
resolution_option = click.option(
    "--resolution",
    type=Whole(least=8, most=MOST_PIXELS),
    help="Scale images to this width and height.  [default: unchanged]",
)
