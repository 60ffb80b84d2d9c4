"""Define `direction-finder export`, which writes directions as a plain matrix for other tools."""

from pathlib import Path

import click

from direction_finder.commands.options import force_option
from direction_finder.commands.paths import Place, RunPath


@click.command(epilog="Example: direction-finder export outputs/demo --out demo.npy")
@click.argument("target", type=RunPath())
@click.option("--out", required=True, type=Place(folder=False), help="File to write, .npy or .pt.")
@click.option(
    "--searched",
    is_flag=True,
    help="Write only the dimensions of z that were searched, as hessian_penalty's tools expect for a part of z.",
)
@force_option
def export(target: Path, out: Path, searched: bool, force: bool) -> None:
    """Write the directions of a run as a matrix for NumPy (.npy) or torch (.pt), with one direction per row.

    TARGET is a run folder, a directions file, or "latest" for the newest run. A matrix cannot contain names, layers or
    other information about the directions.
    """
    from direction_finder.commands.actions import export as action

    action.export(target, out, searched, force)
