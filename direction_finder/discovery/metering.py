"""Count the images that a generator computes during a search, to report what the search costs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from direction_finder.generators import Generator, Half


@dataclass
class Meter:
    """Counts of the images computed, and of those among them computed with gradients."""

    images: int = 0
    gradients: int = 0


@contextmanager
def metered(generator: Generator) -> Iterator[Meter]:
    """Count the images that a generator computes within this context."""
    meter, run, outer = Meter(), generator.run, generator.__dict__.get("run")

    def counted(
        latents: Tensor, classes: Tensor | None, at: frozenset[str], half: Half | None = None
    ) -> dict[str, Tensor]:
        meter.images += len(latents)
        meter.gradients += len(latents) if torch.is_grad_enabled() and latents.requires_grad else 0
        return run(latents, classes, at, half)

    generator.__dict__["run"] = counted
    try:
        yield meter
    finally:
        if outer:  # a search inside another search
            generator.__dict__["run"] = outer
        else:
            del generator.__dict__["run"]
