"""Render samples above edited versions of themselves, or with one value set for all of them."""

from collections.abc import Iterator, Mapping, Sequence

from direction_finder import edits
from direction_finder.direction import Direction
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.images import Row
from direction_finder.rendering.drawing import drawn, label, sample_labels, several
from direction_finder.rendering.sheets import Sheet
from direction_finder.samples import Samples


def compared(
    generator: Generator, rows: Mapping[str, Samples], titles: Sequence[str] = (), *, max_batch: int = 32
) -> Sheet:
    """Return a sheet of several versions of the same samples, a row for each version, labelled with its name.

    rows: the samples of each version, by name. titles: texts above the first rows. Raises InputError if the versions
    do not have equally many samples.
    """
    if not isinstance(rows, Mapping):
        raise InputError(
            f"expected versions of samples by name, e.g. {{'original': samples}}, not {type(rows).__name__}"
        )
    names = list(rows)
    counts = {len(samples) for samples in rows.values()}
    if len(counts) != 1:
        raise InputError(
            f"versions of {' and '.join(map(str, sorted(counts))) or 'no'} samples: expected the same samples in each"
        )

    def render() -> Iterator[Row]:
        for number, (name, samples) in enumerate(rows.items()):
            title = titles[number] if number < len(titles) else ""
            yield Row(name, drawn(generator, samples.latents, samples.class_numbers, max_batch), title)

    return Sheet(render, sample_labels(len(rows[names[0]])), names, len(names))


def aligned(
    generator: Generator,
    direction: Direction | Sequence[Direction],
    samples: Samples,
    to: Sequence[float | Sequence[float]] = (),
    *,
    keep: edits.Along | edits.Several = (),
    max_batch: int = 32,
) -> Sheet:
    """Return a sheet of the samples, then a row for each value that their coordinates are set to (paper, Fig. 7).

    to: the values (default: 0, and the ends of the usable range where it is known); for several directions, one for
    each of them in each row (default: 0). keep: directions along which samples keep their coordinates.
    """
    directions, rows = several(direction), {"original": samples}
    for value in to or default_values(directions):
        goal = [float(each) for each in value] if isinstance(value, Sequence) else [float(value)]
        name = f"set to {named(goal)}"
        name = f"set to {', '.join(map(str, goal))}" if name in rows else name
        rows[name] = edits.align(samples, directions, goal, keep=keep)
    return compared(generator, rows, ["; ".join(map(label, directions))], max_batch=max_batch)


def named(goal: Sequence[float]) -> str:
    """Return values to set as text, e.g. "0, 1.5"."""
    return ", ".join(f"{each:.3g}" for each in goal)


def default_values(directions: Sequence[Direction]) -> list[tuple[float, ...]]:
    """Return the default values for aligning: 0, and the ends of the usable range of a single direction if known."""
    reach = directions[0].usable_range if len(directions) == 1 else None
    return [(-reach,), (0.0,), (reach,)] if reach else [(0.0,) * len(directions)]
