"""The samples at which a generator is measured: their class, their latents, and how many at once."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from direction_finder import edits
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.samples import Samples


@dataclass(frozen=True)
class Sampling:
    """Settings that every metric takes.

    class_index: None for random classes. max_batch: how many images are generated at once. given: samples to measure
    at, instead of random ones.
    """

    class_index: int | None = None
    seed: int = 0
    max_batch: int = 32
    given: Samples | None = None

    def __post_init__(self) -> None:
        for name, value, least in (("seed", self.seed, 0), ("max_batch", self.max_batch, 1)):
            if not isinstance(value, int) or value < least:
                raise InputError(f"`{name}` {value}: expected a whole number, at least {least}")

    def draw(self, generator: Generator, count: int) -> tuple[Tensor, Tensor]:
        """Return latents (count, layers, dim) and classes (count,): the first given samples, or random ones."""
        if self.given is not None:
            samples = generator.accept(self.given, self.class_index)[:count]
        else:
            samples = generator.samples(count, seed=self.seed, class_name=self.class_index, purpose="factors")
        return samples.latents, samples.class_numbers


DEFAULT = Sampling()


def images_along(
    generator: Generator, directions: Directions, latents: Tensor, classes: Tensor
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a function from coordinates along all directions (n, num) and numbers of latents (n,) to images.

    Latents move along all directions at once, and gradients reach the coordinates.
    """

    def along(coordinates: Tensor, numbers: Tensor) -> Tensor:
        moves = zip(directions, coordinates.T, strict=True)
        return generator(edits.combine(latents[numbers], moves), classes[numbers])

    return along
