"""Render samples above edited versions of themselves, or with one value set for all of them."""

from collections.abc import Iterator, Mapping, Sequence

from direction_finder import edits
from direction_finder.direction import Direction
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.images import Row
from direction_finder.rendering.drawing import drawn, label, sample_labels
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
    direction: Direction,
    samples: Samples,
    to: Sequence[float] = (),
    *,
    max_batch: int = 32,
) -> Sheet:
    """Return a sheet of the samples, then a row for each value that their coordinates are set to (paper, Fig. 7).

    to: the values (default: 0, and the ends of the usable range where it is known).
    """
    rows = {"original": samples}
    for value in to or default_values(direction):
        name = f"set to {value:.3g}"
        rows[f"set to {value}" if name in rows else name] = edits.align(samples, direction, value)
    return compared(generator, rows, [label(direction)], max_batch=max_batch)


def default_values(direction: Direction) -> tuple[float, ...]:
    """Return the default values for aligning along a direction: 0, and the ends of its usable range if it is known."""
    reach = direction.usable_range
    return (-reach, 0.0, reach) if reach else (0.0,)
