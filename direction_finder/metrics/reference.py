"""Real pictures that generated ones are held against in the features of a network, by default EfficientNet-lite0."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from direction_finder.datasets import Pictures
from direction_finder.generators import Generator
from direction_finder.metrics.features import Features, lite0
from direction_finder.metrics.frechet import frechet_distance
from direction_finder.metrics.parts import Keep, anew, in_parts
from direction_finder.metrics.samples import DEFAULT, Sampling
from direction_finder.pictures import as_images
from direction_finder.progress import OnStep
from direction_finder.randomness import normal, stream

BATCH = 50


def choice(count: int, samples: int, seed: int) -> np.ndarray:
    """Which of `count` real pictures are taken, at most all."""
    return np.random.default_rng(seed).permutation(count)[:samples]


class Reference:
    """`choice` of images (n, H, W, 3) of bytes, an array or what is indexed like one.

    Raises InputError if the features are not installed.
    """

    @torch.no_grad()
    def __init__(
        self,
        images: np.ndarray | Pictures,
        samples: int,
        seed: int = 0,
        features: Features | None = None,
        keep: Keep = anew,
        on_step: OnStep | None = None,
    ):
        chosen = choice(len(images), samples, seed)
        self.features, self.seed, self.samples = features or lite0(), seed, len(chosen)

        def take(number: int) -> Tensor:
            part = images[chosen[number * BATCH : (number + 1) * BATCH]]
            return self.features(as_images(torch.from_numpy(part))).cpu()

        batches = math.ceil(self.samples / BATCH)
        self.seen = torch.cat(in_parts(batches, take, "real pictures", "batch", keep=keep, on_step=on_step))

    @torch.no_grad()
    def distance(self, draw: Callable[[Tensor], Tensor], dim: int) -> float:
        """To as many pictures that `draw` makes of z (batch, dim), always the same z."""
        z = normal(self.samples, dim, stream(self.seed, "score"))
        return frechet_distance(torch.cat([self.features(draw(part)).cpu() for part in z.split(BATCH)]), self.seen)


@torch.no_grad()
def features_of(
    generator: Generator,
    features: Features,
    sampling: Sampling = DEFAULT,
    *,
    samples: int,
    keep: Keep = anew,
    on_step: OnStep | None = None,
) -> Tensor:
    """Of generated pictures: (samples, size)."""
    latents, classes = sampling.draw(generator, samples)
    parts = list(zip(latents.split(sampling.max_batch), classes.split(sampling.max_batch), strict=True))

    def take(number: int) -> Tensor:
        return features(generator(*parts[number])).cpu()

    return torch.cat(in_parts(len(parts), take, "drawing", "batch", keep=keep, on_step=on_step))
