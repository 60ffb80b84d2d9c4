"""Define `direction-finder import`, which creates a run from directions of another tool."""

from pathlib import Path

import click

from direction_finder.commands import completion
from direction_finder.commands.numbers import NumberRange, Whole
from direction_finder.commands.option_values import Import
from direction_finder.commands.options import device_option, grouped
from direction_finder.commands.paths import Place, Text
from direction_finder.settings import PARTS


@click.command("import", epilog="Example: direction-finder import our_goldens_mid.pt --generator biggan-128 --part mid")
@click.argument("file", type=Place(exists=True, folder=False))
@grouped(
    "options",
    Import,
    click.option(
        "--generator",
        "spec",
        type=Text(),
        shell_complete=completion.generators,
        metavar="SPEC",
        help="Generator that the directions belong to; biggan-128 need not be installed. Without --generator they can "
        "be used with any generator of that size.",
    ),
    click.option("--part", type=click.Choice(PARTS), help="Part of the latents that the columns stand for."),
    click.option(
        "--dims", type=NumberRange(), help="Dimensions of z that the columns stand for, e.g. 40-79.  [default: all]"
    ),
    click.option("--layers", type=NumberRange(), help="Layers that the directions act on.  [default: all]"),
    click.option(
        "--dim", type=Whole(least=1), help="Size of z, if there is no --generator.  [default: that of the file]"
    ),
    click.option(
        "--class",
        "class_text",
        shell_complete=completion.classes,
        metavar="NAME",
        help="Class that the directions were found for.  [default: random classes]",
    ),
    click.option(
        "--orthonormalise/--as-given",
        "orthonormalise",
        default=None,
        help="Make the rows orthonormal by Gram-Schmidt, in order, or only scale them to length 1.  [default: "
        "orthonormalise a .pt with a single matrix, as hessian_penalty and OroJaR write it]",
    ),
)
@click.option("--out", type=Place(file=False), help="Run folder to create.  [default: the next number in outputs/]")
@device_option
def import_(file: Path, options: Import, out: Path | None, device: str) -> None:
    """Create a run from another tool's matrix of directions.

    FILE is a .pt of hessian_penalty, OroJaR or GANLatentDiscovery, a .npz of GANSpace, a .npy, or a .pt of a list or
    dict of vectors. `render`, `rank`, `measure` and `edit` then work as for a run of `learn`.
    """
    from direction_finder.commands.actions import import_ as action

    action.import_(file, options, out, device)
