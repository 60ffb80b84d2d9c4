"""`direction-finder export`: directions as a bare matrix for other tools."""

from pathlib import Path

import click

from direction_finder.commands.options import RunPath


@click.command(epilog="Example: direction-finder export outputs/demo --out demo.npy")
@click.argument("target", type=RunPath())
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File, .npy or .pt.")
@click.option(
    "--searched",
    is_flag=True,
    help="Only the dimensions of z that were searched: what hessian_penalty's tools take for a part of z.",
)
def export(target: Path, out: Path, searched: bool) -> None:
    """Write the directions of a run as a matrix, a direction a row, for NumPy (.npy) or torch (.pt).

    Names, layers and all that is known of them stay behind.
    """
    from direction_finder.commands.actions import export as action

    action.export(target, out, searched)
