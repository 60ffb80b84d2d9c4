"""The samples at which a generator is measured: their class, their latents, and how many at once."""

from dataclasses import dataclass

from torch import Tensor

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

    def draw(self, generator: Generator, count: int) -> tuple[Tensor, Tensor]:
        """Return latents (count, layers, dim) and classes (count,): the first given samples, or random ones."""
        if self.given is not None:
            samples = generator.accept(self.given, self.class_index)[:count]
        else:
            samples = generator.samples(count, seed=self.seed, class_name=self.class_index, purpose="factors")
        return samples.latents, samples.class_numbers


DEFAULT = Sampling()
