"""`direction-finder edit`: several edits at once, saved as a recipe that replays exactly."""

from pathlib import Path

import click

from direction_finder.commands.given import Drawing
from direction_finder.commands.options import RunPath, drawing_options, given_options, samples_option


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
    "--recipe",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Replay this recipe instead: on its own samples, or on those that --samples, --seed and --class name.",
)
@samples_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Sheet to write, .png; the recipe goes beside it as .json.  [default: edit.png in the run folder]",
)
@drawing_options
@click.pass_context
def edit(
    ctx: click.Context,
    target: Path,
    steps: tuple[str, ...],
    recipe: Path | None,
    samples: int | Path,
    out: Path | None,
    drawing: Drawing,
) -> None:
    """Draw samples as they are and edited, and keep the edit as a small recipe file.

    \b
    direction-finder edit outputs/demo --recipe edit.json --samples 8 --seed 5 --class sphere
    """
    from direction_finder.commands.actions import edit as action

    action.edit(target, steps, recipe, samples, out, given_options(ctx), drawing)
