"""What `direction-finder import` does."""

from pathlib import Path
from typing import Any

import click
import torch

from direction_finder.commands.options import Download, pick_device, shown
from direction_finder.commands.runs import Run, absolute, reserved, slug
from direction_finder.commands.trust import remember
from direction_finder.directions import Directions
from direction_finder.discovery import space_settings
from direction_finder.discovery.matrices import METHOD, imported, read_matrix
from direction_finder.errors import InputError
from direction_finder.files import file_sha256
from direction_finder.generators import ORIGINAL, PUBLISHED, UNTOLD, Outline, load_generator, resolve_class
from direction_finder.version import package_version


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
    """Make a run of another tool's directions."""
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
