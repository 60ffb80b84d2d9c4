"""Define `direction-finder page`, which shows a run on one HTML page."""

from pathlib import Path

import click

from direction_finder.commands import completion
from direction_finder.commands.numbers import Whole
from direction_finder.commands.option_values import Drawing, Paging
from direction_finder.commands.options import drawing_options, force_option, grouped, samples_option
from direction_finder.commands.paths import Place, RunPath

paging_options = grouped(
    "paging",
    Paging,
    click.option(
        "--strips/--no-strips",
        default=True,
        show_default=True,
        help="Render images along each direction; --no-strips shows those that are saved in the run folder.",
    ),
    click.option(
        "--directions",
        shell_complete=completion.directions,
        metavar="NUMBERS",
        help="Directions to show: numbers like 0-7,12, names, or all.  [default: those that `rank` listed, or eight]",
    ),
    samples_option,
    click.option(
        "--quality",
        type=Whole(least=1, most=100),
        help="Quality of the images, 1 to 100.  [default: the best with which the page has at most 12 MB]",
    ),
    click.option(
        "--out",
        type=Place(folder=False),
        help="HTML file to write.  [default: index.html in the run folder]",
    ),
    force_option,
)


@click.command(epilog="Example: direction-finder page outputs/demo")
@click.argument("target", type=RunPath(file=False))
@paging_options
@drawing_options
def page(target: Path, paging: Paging, drawing: Drawing) -> None:
    """Write one HTML page on which one can follow a run's directions by hand, with its figures and tables.

    TARGET is the folder of a run of `learn`, `train` or `finetune`, or "latest". The page needs no other files, so it
    can be moved or sent. It renders its images with the run's generator; without it, it shows what is there.
    """
    from direction_finder.commands.actions import page as action

    action.page(target, paging, drawing)
