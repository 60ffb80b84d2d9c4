"""Where a generator is measured: which class, which latents, how many at once."""

from dataclasses import dataclass

from torch import Tensor

from direction_finder.generators import Generator
from direction_finder.samples import Samples


@dataclass(frozen=True)
class Sampling:
    """What every measure takes. class_index: None for random classes. max_batch: how many images are drawn at once.
    given: samples to measure at, in place of drawn ones."""

    class_index: int | None = None
    seed: int = 0
    max_batch: int = 32
    given: Samples | None = None

    def draw(self, generator: Generator, count: int) -> tuple[Tensor, Tensor]:
        """Return latents (count, layers, dim) and classes (count,): the first of those given, or drawn ones."""
        if self.given is not None:
            samples = generator.accept(self.given, self.class_index)[:count]
        else:
            samples = generator.samples(count, seed=self.seed, class_name=self.class_index, purpose="factors")
        return samples.latents, samples.class_numbers


DEFAULT = Sampling()
