"""Options that `train` and `finetune` share."""

from pathlib import Path

import click

from direction_finder.commands.options import device_option, several, threads_option

FOLDER = click.Path(file_okay=False, path_type=Path)


run_options = several(
    click.option("--out", type=FOLDER, help="Run folder.  [default: the next number under outputs/]"),
    click.option("--resume", type=FOLDER, help="Go on with this run, exactly where it was."),
)
how_options = several(
    click.option("--preview-every", default=250, show_default=True, type=click.IntRange(0), help="Steps; 0: never."),
    click.option("--save-every", default=120.0, show_default=True, type=click.FloatRange(0), metavar="SECONDS",
                 help="How often the state is saved."),
    device_option,
    threads_option,
)  # fmt: skip
score_options = several(
    click.option(
        "--score-every",
        default=25.0,
        show_default=True,
        type=click.FloatRange(0),
        metavar="KIMG",
        help="How often the pictures are scored once fully grown (Frechet distance, EfficientNet-lite0); the best "
        "generator is kept; 0: never.",
    ),
    click.option(
        "--score-samples", default=1000, show_default=True, type=click.IntRange(2), help="Pictures for a score."
    ),
)
resolution_option = click.option(
    "--resolution", type=click.IntRange(8), help="Scale pictures to this.  [default: a data set's own]"
)
