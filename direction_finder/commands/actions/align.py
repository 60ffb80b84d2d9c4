"""Carry out `direction-finder align`."""

from collections.abc import Sequence
from pathlib import Path

from direction_finder import edits
from direction_finder.commands.actions.shared import kept, made, opened, writing
from direction_finder.commands.option_values import Coordinate, Drawing
from direction_finder.commands.printing import say, tell
from direction_finder.direction import Direction
from direction_finder.errors import InputError
from direction_finder.rendering.alignment import aligned, default_values, named
from direction_finder.runs.loading import Loaded

DRAWN = 1000  # samples of whose coordinates a percentile is computed


def align(
    path: Path,
    direction: str,
    to: tuple[tuple[Coordinate, ...], ...],
    keep: str | None,
    samples: int | Path,
    out: Path | None,
    force: bool,
    drawing: Drawing,
) -> None:
    """Render samples unchanged, and with their coordinates along directions set to values, a row for each --to."""
    with writing(path, out, force):
        target = opened(path, drawing)
        numbers = target.pick(direction)
        chosen, keep_numbers = [target.directions[number] for number in numbers], kept(target, keep, numbers)
        keeping = [target.directions[number] for number in keep_numbers]
        own = target.samples(samples, drawing.seed, drawing.class_text)
        goals = [_goal(target, chosen, coordinates, drawing.seed) for coordinates in to] or default_values(chosen)
        for goal in goals:
            moved = edits.align(own, chosen, goal, keep=keeping)
            if (short := edits.short_of(moved, chosen, goal)).any():
                means = [edits.coordinate(moved, each)[short].mean().item() for each in chosen]
                way = "what is kept leaves no way, or the curve is flat" if keeping else "the curve is flat there"
                count = f"{int(short.sum())} of {len(own)} samples stop before {named(goal)}"
                tell(f"{count}, at {named(means)} on average: {way} (see --straight)")
        sheet = aligned(target.generator, chosen, own, goals, keep=keeping, max_batch=drawing.max_batch)
        out = out or target.folder / f"align-{'-'.join(map(str, numbers))}.png"
        settings = {"direction": numbers, "to": goals, "samples": samples, "seed": drawing.seed}
        sheet.save(out, made(target, "align", **settings, **({"keep": keep_numbers} if keep else {})))
        say(out)


def _goal(
    target: Loaded, directions: Sequence[Direction], coordinates: Sequence[Coordinate], seed: int
) -> tuple[float, ...]:
    """Return the values to set. Percentiles are those of the coordinates of random samples."""
    if len(coordinates) != len(directions):
        raise InputError(f"`to`: {len(coordinates)} values for {len(directions)} directions: expected one for each")
    values = []
    for along, each in zip(directions, coordinates, strict=True):
        drawn = target.generator.samples(DRAWN, seed=seed) if each.percent else None
        values.append(edits.percentile(drawn, along, each.value) if drawn else each.value)
    return tuple(values)
