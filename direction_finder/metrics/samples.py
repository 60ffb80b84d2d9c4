"""Latents that a generator is measured at."""

import torch
from torch import Tensor

from direction_finder import edits
from direction_finder.generators import Generator
from direction_finder.randomness import stream


def draw(generator: Generator, samples: int, class_index: int | None, seed: int) -> tuple[Tensor, Tensor]:
    """Latents (samples, layers, dim) and classes (samples,), one class or random ones."""
    rng = stream(seed, "factors")
    latents = edits.spread(generator.sample(samples, rng), generator.num_layers)
    if class_index is None:
        classes = torch.randint(max(1, generator.num_classes), (samples,), generator=rng)
    else:
        classes = torch.full((samples,), class_index)
    return latents, classes.to(latents.device)
