"""Carry out `direction-finder import`."""

from pathlib import Path

import torch

from direction_finder.commands.option_values import Import
from direction_finder.commands.options import shown
from direction_finder.commands.printing import say, tell
from direction_finder.errors import InputError
from direction_finder.generators import ORIGINAL, PUBLISHED, Generator, Outline
from direction_finder.generators.devices import pick_device
from direction_finder.interop import METHOD, import_directions
from direction_finder.runs.folder import absolute, slug
from direction_finder.runs.learning import outline_record
from direction_finder.runs.lifecycle import begun
from direction_finder.runs.loading import Loader
from direction_finder.runs.trust import remember
from direction_finder.version import package_version


def import_(file: Path, options: Import, out: Path | None, device: str) -> None:
    """Create a run from another tool's directions."""
    spec, device = options.spec, pick_device(device)
    directions = import_directions(
        file,
        _generator(spec, device) if spec else None,
        part=options.part,
        dims=options.dims,
        layers=options.layers,
        dim=options.dim,
        class_name=options.class_text,
        orthonormalise=options.orthonormalise,
    )
    content = {
        "direction_finder": package_version(),
        "torch": torch.__version__,
        "generator": outline_record(spec, directions.generator, directions.weights_sha256),
        "class": directions.class_name,
        "method": METHOD,
        "settings": directions.config,
    }
    with begun(out, slug(f"{METHOD} {directions.generator or ''} {file.stem}"), content) as run:
        remember(run.folder, spec and absolute(spec))
        directions.save(run.directions_path)
        run.finish()
    bound = f" of {directions.generator}" if directions.generator else ", not bound to a generator,"
    say(f"{len(directions)} directions{bound} in {run.directions_path}")
    tell(f"To see which directions matter: direction-finder rank {shown(run.folder)}")


def _generator(spec: str, device: str) -> Generator | Outline:
    """Return the generator; if it is the published BigGAN and not installed, return its known outline."""
    try:
        return Loader(device, progress=True).load(spec)
    except InputError:
        if spec != ORIGINAL:
            raise
        tell(f"{spec} is not here: the directions are bound to its name, not to its weights.")
        return PUBLISHED
