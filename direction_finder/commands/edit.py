"""`direction-finder edit`: several edits at once, saved as a recipe that replays exactly."""

from pathlib import Path
from typing import Any

import click

from direction_finder.commands.options import RunPath, samples_option, target_options


@click.command(
    epilog="Example: direction-finder edit outputs/00001-hessian-eyes-blue --step align:5=0 --step move:3=2.5"
)
@click.argument("target", type=RunPath())
@click.option(
    "--step",
    "steps",
    multiple=True,
    metavar="EDIT:NUMBER=VALUE",
    help="align:5=0 sets the coordinate along direction 5; move:3=2.5 adds to it. Repeat; done in order.",
)
@click.option(
    "--recipe", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Replay this recipe instead."
)
@samples_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Sheet to write, .png; the recipe goes beside it as .json.  [default: edit.png in the run folder]",
)
@target_options
def edit(
    target: Path, steps: tuple[str, ...], recipe: Path | None, samples: int, out: Path | None, **options: Any
) -> None:
    """Draw samples as they are and edited, and keep the edit as a small recipe file."""
    from direction_finder.commands.actions import edit as action

    action.edit(target, steps, recipe, samples, out, **options)
