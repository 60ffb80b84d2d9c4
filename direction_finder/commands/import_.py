"""`direction-finder import`: directions of other tools as a run."""

from pathlib import Path
from typing import Any

import click
import torch

from direction_finder.commands import completion
from direction_finder.commands.options import Download, NumberRange, device_option, pick_device, shown
from direction_finder.commands.runs import Run, absolute, reserved, slug
from direction_finder.commands.trust import remember
from direction_finder.directions import Directions
from direction_finder.discovery import space_settings
from direction_finder.discovery.matrices import METHOD, imported, read_matrix
from direction_finder.errors import InputError
from direction_finder.files import file_sha256
from direction_finder.generators import ORIGINAL, PUBLISHED, SPACES, UNTOLD, Outline, load_generator, resolve_class
from direction_finder.version import package_version


@click.command(
    "import", epilog="Example: direction-finder import our_goldens_mid.pt --generator biggan-128 --space mid"
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--generator",
    "spec",
    shell_complete=completion.generators,
    metavar="SPEC",
    help="What they are for; biggan-128 need not be at hand.",
)
@click.option("--space", type=click.Choice(SPACES), help="Which part of the latents the columns stand for.")
@click.option("--dims", type=NumberRange(), help="The same in numbers: dimensions of z, e.g. 40-79.  [default: all]")
@click.option("--layers", type=NumberRange(), help="They act on these layers only.  [default: all]")
@click.option("--dim", type=click.IntRange(1), help="Size of z, without --generator.  [default: the file's]")
@click.option(
    "--class",
    "class_text",
    shell_complete=completion.classes,
    metavar="NAME",
    help="Class that they were found for.  [default: random classes]",
)
@click.option(
    "--orthonormalise/--as-given",
    "orthonormalise",
    default=None,
    help="Gram-Schmidt over the rows, in order, or only scale them to length 1.  [default: Gram-Schmidt for a bare "
    ".pt, the matrix that hessian_penalty and OroJaR train]",
)
@click.option("--out", type=click.Path(path_type=Path), help="Run folder.  [default: the next number in outputs/]")
@device_option
def import_(
    file: Path,
    spec: str | None,
    space: str | None,
    dims: tuple[int, int] | None,
    layers: tuple[int, int] | None,
    dim: int | None,
    class_text: str | None,
    orthonormalise: bool | None,
    out: Path | None,
    device: str,
) -> None:
    """Make a run of a matrix of directions: hessian_penalty's and OroJaR's .pt, GANLatentDiscovery's .pt, GANSpace's
    .npz, .npy, or a .pt of a list or dict of vectors.

    `render`, `rank`, `measure` and `edit` then take it as one that `learn` made.
    """
    matrix = read_matrix(file)
    if space and (dims or layers):
        raise InputError("--space names dimensions or layers: leave out --dims and --layers")
    if dim and spec:
        raise InputError(f"--dim is read from the generator {spec}: leave it out")
    outline = _outline(spec, device) if spec else Outline(None, dim or (dims[1] + 1 if dims else matrix.rows.shape[1]))
    if space:
        part = space_settings(outline, space)
        dims, layers = part.get("dims"), part.get("layers")
    source = {"file": file.name, "file_sha256": file_sha256(file), "space": space, "chunk": outline.chunk}
    directions = imported(
        matrix.rows,
        matrix.free if orthonormalise is None else orthonormalise,
        outline,
        source=source,
        dims=dims,
        layers=layers,
        class_index=resolve_class(outline.class_names, class_text) if class_text else None,
        names=matrix.names,
    )
    with reserved(out):
        run = Run.create(out, slug(f"{METHOD} {outline.name or ''} {file.stem}"), _content(directions, spec, outline))
        remember(run.folder, spec and absolute(spec))
        directions.save(run.directions)
        run.finish()
    bound = f" of {outline.name}" if outline.name else ", bound to no generator"
    click.echo(f"{len(directions)} directions{bound} in {run.directions}")
    click.echo(f"Which matter? direction-finder rank {shown(run.folder)}", err=True)


def _outline(spec: str, device: str) -> Outline:
    """What is known of the generator; of the published BigGAN also if it is not here."""
    try:
        return load_generator(spec, device=pick_device(device), on_download=Download()).outline
    except InputError:
        if spec != ORIGINAL:
            raise
        click.echo(f"{spec} is not here: the directions are bound to its name, not to its weights.", err=True)
        return PUBLISHED


def _content(directions: Directions, spec: str | None, outline: Outline) -> dict[str, Any]:
    """What `config.json` holds."""
    record = {"spec": spec and absolute(spec), "name": outline.name, "weights_sha256": outline.weights_sha256}
    return {
        "direction_finder": package_version(),
        "torch": torch.__version__,
        "generator": {**record, "truncation": None, **dict.fromkeys(UNTOLD)},
        "class": directions.class_name,
        "method": METHOD,
        "settings": directions.config,
    }
