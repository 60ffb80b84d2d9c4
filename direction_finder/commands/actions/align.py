"""What `direction-finder align` does."""

from pathlib import Path

import click

from direction_finder import edits
from direction_finder.commands.actions.shared import made, opened
from direction_finder.commands.given import Coordinate, Drawing
from direction_finder.rendering.alignment import aligned, default_values

DRAWN = 1000  # samples whose coordinates a percentile is of


def align(
    path: Path, direction: str, to: tuple[Coordinate, ...], samples: int | Path, out: Path | None, drawing: Drawing
) -> None:
    """Draw samples as they are and aligned: their component along a direction removed and set to a value."""
    target = opened(path, drawing)
    index = target.pick_one(direction)
    chosen = target.directions[index]
    own = target.samples(samples, drawing.seed, drawing.class_text)
    values = [
        edits.percentile(target.generator.samples(DRAWN, seed=drawing.seed), chosen, each.value)
        if each.percent
        else each.value
        for each in to
    ] or list(default_values(chosen))
    sheet = aligned(target.generator, chosen, own, values, max_batch=drawing.max_batch)
    out = out or target.folder / f"align-{index}.png"
    sheet.save(out, made(target, "align", direction=index, to=values, samples=samples, seed=drawing.seed))
    click.echo(out)
