"""Define `direction-finder edit`, which applies several edits and saves them as a recipe."""

from pathlib import Path

import click

from direction_finder.commands.option_values import Drawing
from direction_finder.commands.options import editing_options, force_option, given_options, keep_option, samples_option
from direction_finder.commands.paths import Place, RunPath


@click.command(
    epilog="Example: direction-finder edit outputs/00001-hessian-eyes-blue --step align:5=0 --step move:3=2.5"
)
@click.argument("target", type=RunPath())
@click.option(
    "--step",
    "steps",
    multiple=True,
    metavar="EDIT:NUMBER=VALUE",
    help="Edit to apply: align:5=0 sets the coordinate along direction 5 to 0, move:3=2.5 adds 2.5 along direction 3. "
    "Repeat for several, which are applied in order.",
)
@click.option(
    "--recipe",
    type=Place(exists=True, folder=False),
    help="Recipe to apply instead of --step. It uses its own samples, unless --samples, --seed or --class change them.",
)
@keep_option
@samples_option
@click.option(
    "--out",
    type=Place(folder=False),
    help="Sheet to write, .png; the recipe is saved beside it as .json.  [default: edit.png in the run folder]",
)
@force_option
@editing_options
@click.pass_context
def edit(
    ctx: click.Context,
    target: Path,
    steps: tuple[str, ...],
    recipe: Path | None,
    keep: str | None,
    samples: int | Path,
    out: Path | None,
    force: bool,
    drawing: Drawing,
) -> None:
    """Render samples unchanged and edited, and save the edits as a small recipe file.

    TARGET is a run folder, a directions file, or "latest" for the newest run. To apply a saved recipe to other samples:

    \b
    direction-finder edit outputs/demo --recipe edit.json --samples 8 --seed 5 --class sphere
    """
    from direction_finder.commands.actions import edit as action

    action.edit(target, steps, recipe, keep, samples, out, force, given_options(ctx), drawing)
