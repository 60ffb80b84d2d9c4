"""`direction-finder import`: directions of other tools as a run."""

from pathlib import Path

import click

from direction_finder.commands import completion
from direction_finder.commands.given import Import
from direction_finder.commands.options import NumberRange, device_option, grouped
from direction_finder.settings import SPACES


@click.command(
    "import", epilog="Example: direction-finder import our_goldens_mid.pt --generator biggan-128 --space mid"
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@grouped(
    "options",
    Import,
    click.option(
        "--generator",
        "spec",
        shell_complete=completion.generators,
        metavar="SPEC",
        help="What they are for; biggan-128 need not be at hand.",
    ),
    click.option("--space", type=click.Choice(SPACES), help="Which part of the latents the columns stand for."),
    click.option(
        "--dims", type=NumberRange(), help="The same in numbers: dimensions of z, e.g. 40-79.  [default: all]"
    ),
    click.option("--layers", type=NumberRange(), help="They act on these layers only.  [default: all]"),
    click.option("--dim", type=click.IntRange(1), help="Size of z, without --generator.  [default: the file's]"),
    click.option(
        "--class",
        "class_text",
        shell_complete=completion.classes,
        metavar="NAME",
        help="Class that they were found for.  [default: random classes]",
    ),
    click.option(
        "--orthonormalise/--as-given",
        "orthonormalise",
        default=None,
        help="Gram-Schmidt over the rows, in order, or only scale them to length 1.  [default: Gram-Schmidt for a bare "
        ".pt, the matrix that hessian_penalty and OroJaR train]",
    ),
)
@click.option("--out", type=click.Path(path_type=Path), help="Run folder.  [default: the next number in outputs/]")
@device_option
def import_(file: Path, options: Import, out: Path | None, device: str) -> None:
    """Make a run of a matrix of directions: hessian_penalty's and OroJaR's .pt, GANLatentDiscovery's .pt, GANSpace's
    .npz, .npy, or a .pt of a list or dict of vectors.

    `render`, `rank`, `measure` and `edit` then take it as one that `learn` made.
    """
    from direction_finder.commands.actions import import_ as action

    action.import_(file, options, out, device)
