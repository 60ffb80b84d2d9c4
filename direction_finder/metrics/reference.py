"""Compare generated images with real ones in the feature space of a network, by default EfficientNet-lite0."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from direction_finder.datasets import Images
from direction_finder.generators import Generator
from direction_finder.images import as_images
from direction_finder.metrics.features import Features, lite0
from direction_finder.metrics.frechet import frechet_distance
from direction_finder.metrics.samples import DEFAULT, Sampling
from direction_finder.progress import OnStep
from direction_finder.randomness import normal, stream
from direction_finder.resumable import Cache, in_parts, uncached

BATCH = 50


def choice(count: int, samples: int, seed: int) -> np.ndarray:
    """Return the indexes of `samples` random ones of `count` real images, or of all if there are fewer."""
    return np.random.default_rng(seed).permutation(count)[:samples]


class Reference:
    """The features of a random `choice` of real images, against which a generator is scored.

    images: bytes (n, H, W, 3), an array or something that is indexed like one. Raises MissingExtra if the network of
    the features is not installed.
    """

    @torch.no_grad()
    def __init__(
        self,
        images: np.ndarray | Images,
        samples: int,
        seed: int = 0,
        features: Features | None = None,
        cache: Cache = uncached,
        on_step: OnStep | None = None,
    ):
        chosen = choice(len(images), samples, seed)
        self.features, self.seed, self.samples = features or lite0(), seed, len(chosen)

        def take(number: int) -> Tensor:
            part = images[chosen[number * BATCH : (number + 1) * BATCH]]
            return self.features(as_images(torch.from_numpy(part))).cpu()

        batches = math.ceil(self.samples / BATCH)
        self.seen = torch.cat(in_parts(batches, take, "real images", "batch", cache=cache, on_step=on_step))

    @torch.no_grad()
    def distance(self, draw: Callable[[Tensor], Tensor], dim: int) -> float:
        """Return the Frechet distance to as many generated images, always of the same z.

        draw: z (batch, dim) -> images (batch, 3, H, W).
        """
        z = normal(self.samples, dim, stream(self.seed, "score"))
        return frechet_distance(torch.cat([self.features(draw(part)).cpu() for part in z.split(BATCH)]), self.seen)


@torch.no_grad()
def features_of(
    generator: Generator,
    features: Features,
    sampling: Sampling = DEFAULT,
    *,
    samples: int,
    cache: Cache = uncached,
    on_step: OnStep | None = None,
) -> Tensor:
    """Compute the features of generated images: (samples, size)."""
    latents, classes = sampling.draw(generator, samples)
    parts = list(zip(latents.split(sampling.max_batch), classes.split(sampling.max_batch), strict=True))

    def take(number: int) -> Tensor:
        return features(generator(*parts[number])).cpu()

    return torch.cat(in_parts(len(parts), take, "generating images", "batch", cache=cache, on_step=on_step))
