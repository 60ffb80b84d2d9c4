"""Share code between verbs: open directions with their generator, and describe how an image was made."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from direction_finder.commands.option_values import Drawing
from direction_finder.runs.loading import Loaded, Loader


def opened(path: Path, drawing: Drawing) -> Loaded:
    """Open a run folder or a directions file with its generator."""
    return Loaded.open(path, Loader(drawing.device, progress=True), drawing.generator)


def made(target: Loaded, verb: str, **settings: Any) -> dict[str, Any]:
    """Return how an image was made, to be saved in it. settings: options of the verb."""
    record = target.directions
    return {
        "made_by": f"direction-finder {verb}",
        "method": record.method,
        "generator": target.generator.name,
        "weights_sha256": target.generator.weights_sha256,
        "class": record.class_name,
        "run": target.folder.name,
        **{name: str(value) if isinstance(value, Path) else value for name, value in settings.items()},
    }


def tell(note: str) -> None:
    """Print a note, which is not the result, on stderr."""
    click.echo(note, err=True)


@contextmanager
def going_on() -> Iterator[None]:
    """Tell the user how to resume if a measurement is stopped."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo("\nStopped. Repeat the command to resume it.", err=True)
        raise
