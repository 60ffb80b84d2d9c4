"""Lay out sheets that show what directions do."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from direction_finder.direction import Direction
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.images import Row
from direction_finder.progress import OnStep
from direction_finder.rendering.drawing import Walk, drawn, evenly, label, numbers, sample_labels
from direction_finder.rendering.sheets import Sheet
from direction_finder.samples import Samples
from direction_finder.settings import check_number


class Layout:
    """Render what every layout needs: samples that move along directions, in `steps` images each."""

    def __init__(self, generator: Generator, directions: Sequence[Direction], samples: Samples, walk: Walk, steps: int):
        self.generator, self.directions, self.walk = generator, directions, walk
        self.own = samples
        self.positions = torch.linspace(-1, 1, steps)
        self.samples = sample_labels(len(samples))

    def line(self, direction: Direction, sample: int, positions: Tensor, base: Tensor | None = None) -> np.ndarray:
        """Render one sample at several positions along a direction. base: other latents to start from."""
        base = self.own.latents[sample : sample + 1] if base is None else base
        return self.draw(self.walk.place(base.expand(len(positions), -1, -1), direction, positions), sample)

    def draw(self, latents: Tensor, sample: int) -> np.ndarray:
        """Render latents (n, layers, dim) with the class of a sample."""
        classes = self.own.class_numbers[sample : sample + 1].expand(len(latents))
        return drawn(self.generator, latents, classes, self.walk.max_batch)


def blocks(layout: Layout, on_step: OnStep | None = None) -> Sheet:
    """Return a sheet with a section for each direction: samples down, positions across."""
    walk, positions, steps = layout.walk, layout.positions, len(layout.positions)
    extents = {walk.reach(direction) for direction in layout.directions}
    same = len(extents) == 1 and not walk.even
    columns = numbers(positions * (next(iter(extents)) if same else 1))
    places, notes = [positions * walk.reach(direction) for direction in layout.directions], list[str]()
    if walk.even:
        middle = steps // 2 if steps % 2 and not walk.absolute else -1  # the column of the unchanged sample
        columns = [f"{number - middle:+d}" if number != middle else "0" for number in range(steps)]
        places, notes = evenly(
            layout.generator, layout.directions, layout.own, walk, steps, around_zero=not walk.absolute, on_step=on_step
        )

    def rows() -> Iterator[Row]:
        for direction, place in zip(layout.directions, places, strict=True):
            title = label(direction) + ("" if same else f"  (extent {walk.reach(direction):.3g})")
            title += f"  at {' '.join(numbers(place))}" if walk.even else ""
            for sample, name in enumerate(layout.samples):
                yield Row(name, layout.line(direction, sample, place), "" if sample else title)

    return Sheet(rows, columns, layout.samples, len(layout.directions) * len(layout.samples), tuple(notes))


def overview(layout: Layout, on_step: OnStep | None = None) -> Sheet:
    """Return a sheet with samples down and, across, each one unchanged and at the full extent of every direction."""
    walk = layout.walk

    def rows() -> Iterator[Row]:
        for sample, name in enumerate(layout.samples):
            own = layout.own.latents[sample : sample + 1]
            moved = [walk.place(own, direction, walk.reach(direction)) for direction in layout.directions]
            yield Row(name, layout.draw(torch.cat([own, *moved]), sample))

    columns = ["original", *(direction.label for direction in layout.directions)]
    return Sheet(rows, columns, layout.samples, len(layout.samples))


def pair(layout: Layout, on_step: OnStep | None = None) -> Sheet:
    """Return a sheet with a section for each sample: one direction across, another down (paper, Fig. 2, right)."""
    if len(layout.directions) != 2:
        raise InputError(f"layout pair takes two directions, got {len(layout.directions)}: e.g. `directions` 3,5")
    across, down = layout.directions
    wide, high = (layout.positions * layout.walk.reach(direction) for direction in layout.directions)
    labels = numbers(high)

    def rows() -> Iterator[Row]:
        for sample, name in enumerate(layout.samples):
            title = f"{name}: {label(across)} across, {label(down)} down"
            for step, position in enumerate(high.tolist()):
                base = layout.walk.place(layout.own.latents[sample : sample + 1], down, position)
                yield Row(labels[step], layout.line(across, sample, wide, base), "" if step else title)

    return Sheet(rows, numbers(wide), labels, len(layout.samples) * len(high))


LAYOUTS: dict[str, Callable[[Layout, OnStep | None], Sheet]] = {"blocks": blocks, "overview": overview, "pair": pair}


def render_sheet(
    generator: Generator,
    directions: Sequence[Direction],
    samples: Samples,
    walk: Walk,
    *,
    layout: str = "blocks",
    steps: int = 7,
    on_step: OnStep | None = None,
) -> Sheet:
    """Return a sheet of samples that move along directions.

    Raises InputError for an unknown layout, even steps in a layout other than "blocks", or fewer than two steps.
    """
    if layout not in LAYOUTS:
        raise InputError(f"layout {layout!r}: expected {', '.join(LAYOUTS)}")
    check_number("steps", steps, int, least=2, most=1000)
    if walk.even and layout != "blocks":
        raise InputError(f"`even` is for layout blocks, not {layout}")
    return LAYOUTS[layout](Layout(generator, directions, samples, walk, steps), on_step)
