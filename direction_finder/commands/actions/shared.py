"""What several verbs do: open directions with their generator, and note in a picture how it was made."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from direction_finder.commands.given import Drawing
from direction_finder.runs.target import Loader, Target


def opened(path: Path, drawing: Drawing) -> Target:
    """Open a run folder or a directions file with its generator."""
    return Target.open(path, Loader(drawing.device, progress=True), drawing.generator)


def made(target: Target, what: str, **settings: Any) -> dict[str, Any]:
    """How a picture was made, to be kept inside it."""
    record = target.directions
    return {
        "made_by": f"direction-finder {what}",
        "method": record.method,
        "generator": target.generator.name,
        "weights_sha256": target.generator.weights_sha256,
        "class": record.class_name,
        "run": target.folder.name,
        **{name: str(value) if isinstance(value, Path) else value for name, value in settings.items()},
    }


def tell(note: str) -> None:
    """Say something that is not the result."""
    click.echo(note, err=True)


@contextmanager
def going_on() -> Iterator[None]:
    """Say, if a measure is stopped, that the same command goes on with it."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo("\nThe same command goes on where it was.", err=True)
        raise
