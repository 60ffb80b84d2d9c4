"""Carry out `direction-finder align`."""

from pathlib import Path

from direction_finder import edits
from direction_finder.commands.actions.shared import made, opened, writing
from direction_finder.commands.option_values import Coordinate, Drawing
from direction_finder.commands.printing import say, tell
from direction_finder.rendering.alignment import aligned, default_values

DRAWN = 1000  # samples of whose coordinates a percentile is computed


def align(
    path: Path,
    direction: str,
    to: tuple[Coordinate, ...],
    samples: int | Path,
    out: Path | None,
    force: bool,
    drawing: Drawing,
) -> None:
    """Render samples unchanged, and with their coordinate along one direction set to each value."""
    with writing(path, out, force):
        target = opened(path, drawing)
        index = target.pick_one(direction)
        chosen = target.directions[index]
        own = target.samples(samples, drawing.seed, drawing.class_text)
        values = [
            edits.percentile(target.generator.samples(DRAWN, seed=drawing.seed), chosen, coordinate.value)
            if coordinate.percent
            else coordinate.value
            for coordinate in to
        ] or list(default_values(chosen))
        for value in values:
            if stopped := int(edits.short_of(edits.align(own, chosen, value), chosen, value).sum()):
                tell(
                    f"{stopped} of {len(own)} samples stop before {value:.3g}: the curve is flat there (see --straight)"
                )
        sheet = aligned(target.generator, chosen, own, values, max_batch=drawing.max_batch)
        out = out or target.folder / f"align-{index}.png"
        sheet.save(out, made(target, "align", direction=index, to=values, samples=samples, seed=drawing.seed))
        say(out)
