"""What `direction-finder align` does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from direction_finder import edits
from direction_finder.commands.target import Target, column_labels
from direction_finder.pictures import Row, write_sheet


def align(
    target: Path, direction: str, values: tuple[float, ...], samples: int, out: Path | None, **options: Any
) -> None:
    """Draw samples as they are and aligned: their component along a direction removed and set to a value."""
    opened = Target.open(target, options["generator"], options["device"], options["max_batch"])
    index = opened.pick_one(direction)
    latents, classes = opened.samples(samples, options["seed"], options["class_text"])
    out = out or opened.folder / f"align-{index}.png"
    chosen = opened.directions[index]
    reach = chosen.usable_range
    values = values or ((-reach, 0.0, reach) if reach else (0.0,))
    labels = ["original", *(f"set to {value:.3g}" for value in values)]

    def rows() -> Iterator[Row]:
        yield Row(labels[0], opened.draw(latents, classes), opened.label(index))
        for label, value in zip(labels[1:], values, strict=True):
            aligned = edits.align(latents, chosen, value)
            yield Row(label, opened.draw(aligned, classes))

    made = opened.made("align", direction=index, to=list(values), samples=samples, seed=options["seed"])
    write_sheet(out, rows(), columns=column_labels(samples), labels=labels, made=made)
    click.echo(out)
