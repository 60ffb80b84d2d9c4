"""What a search costs: the images that a generator makes meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from direction_finder.generators import Generator, Half


@dataclass
class Meter:
    """How many images were made, and how many of them with gradients flowing back."""

    images: int = 0
    gradients: int = 0


@contextmanager
def metered(generator: Generator) -> Iterator[Meter]:
    """Count what a generator does meanwhile."""
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
        if outer:  # a search inside of another
            generator.__dict__["run"] = outer
        else:
            del generator.__dict__["run"]
