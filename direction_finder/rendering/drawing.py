"""Do what sheets and videos share: move samples along directions, render them in batches, and write labels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from direction_finder import edits
from direction_finder.direction import Direction
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.images import to_uint8, upscaled
from direction_finder.metrics.even_spacing import along, even_positions
from direction_finder.metrics.features import similarity_of
from direction_finder.progress import OnStep, counted
from direction_finder.samples import Samples
from direction_finder.settings import FARTHEST, check_number

SMALLEST = 96  # pixels: smaller images are enlarged, or labels would not fit
DEFAULT_EXTENT = 3.0  # z has standard deviation 1 along every direction


@dataclass(frozen=True)
class Walk:
    """Describe how samples move along directions.

    extent: how far to go both ways (None: the direction's usable range, or 3). even: whether steps change the image
    equally. absolute: whether coordinates are set to the values, instead of moved by them. features, weights: how
    changes of images are measured, see `metrics.features`. max_batch: images rendered at once.
    """

    extent: float | None = None
    even: bool = False
    absolute: bool = False
    features: str = "lite0"
    weights: Path | None = None
    max_batch: int = 32

    def __post_init__(self) -> None:
        if self.extent is not None:
            check_number("extent", self.extent, float, above=0, most=FARTHEST)
        check_number("max_batch", self.max_batch, int, least=1)

    def reach(self, direction: Direction) -> float:
        """Return how far to go along a direction, in standard deviations."""
        return self.extent or direction.usable_range or DEFAULT_EXTENT

    def place(self, latents: Tensor, direction: Direction, position: float | Tensor) -> Tensor:
        """Return latents (n, layers, dim) moved by a position along a direction, or set to it."""
        return (edits.align if self.absolute else edits.move)(latents, direction, position)


def several(directions: Directions | Direction | Iterable[Direction]) -> list[Direction]:
    """Return one direction or several as a list."""
    chosen = [directions] if isinstance(directions, Direction) else list(directions)
    for item in chosen:
        if not isinstance(item, Direction):
            raise InputError(
                f"{item!r} is not a direction: give directions[:5], or directions['x']; `compare` shows edits"
            )
    return chosen


def checked_samples(samples: Samples) -> Samples:
    """Return the samples. Raises InputError if they are something else, for example a number."""
    if not isinstance(samples, Samples):
        raise InputError(f"samples are {samples!r}: expected Samples, e.g. generator.samples(3)")
    return samples


@torch.no_grad()
def drawn(generator: Generator, latents: Tensor, classes: Tensor, max_batch: int) -> np.ndarray:
    """Return images (n, H, W, 3) of bytes; at most `max_batch` are generated at once."""
    parts = zip(latents.split(max_batch), classes.split(max_batch), strict=True)
    return upscaled(np.concatenate([to_uint8(generator(z, indices)) for z, indices in parts]), SMALLEST)


def label(direction: Direction) -> str:
    """Return "direction 3", with its name and its score if it has them."""
    number = "" if direction.number is None else f" {direction.number}"
    name = f": {direction.name}" if direction.name else ""
    score = "" if direction.score is None else f"  (score {direction.score:.3g})"
    return f"direction{number}{name}{score}"


def sample_labels(count: int) -> list[str]:
    """Return the labels "sample 0", "sample 1" and so on."""
    return [f"sample {i}" for i in range(count)]


def numbers(positions: Tensor) -> list[str]:
    """Return positions as short labels; the middle one reads 0, not 1e-8."""
    return [f"{position:+.3g}" if abs(position) > 1e-4 else "0" for position in positions.tolist()]


def evenly(
    generator: Generator,
    directions: Sequence[Direction],
    samples: Samples,
    walk: Walk,
    count: int,
    *,
    around_zero: bool = False,
    on_step: OnStep | None = None,
) -> tuple[list[Tensor], list[str]]:
    """Return positions (count,) along each direction at which consecutive images are equally far apart.

    Also returns a note for each direction that says how even the steps are.
    """
    similarity, name = similarity_of(walk.features, generator.device, walk.weights)
    places, notes = [], []
    for direction in counted(directions, len(directions), "spacing images evenly", "direction", on_step):
        distances = along(generator, similarity, direction, samples, absolute=walk.absolute, max_batch=walk.max_batch)
        even = even_positions(distances, walk.reach(direction), count, around_zero=around_zero)
        places.append(even.positions)
        notes.append(
            f"{label(direction)}: the largest of {count - 1} steps is {even.ratio:.2f} times the smallest ({name}); "
            f"of uniform ones {even.uniform:.2f} times"
        )
    return places, notes
