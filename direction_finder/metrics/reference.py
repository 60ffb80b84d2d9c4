"""Real pictures that generated ones are held against, by the Frechet distance of EfficientNet-lite0's features."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from direction_finder.metrics.features import lite0
from direction_finder.metrics.frechet import frechet_distance
from direction_finder.pictures import as_images
from direction_finder.randomness import normal, stream

BATCH = 50


class Reference:
    """`samples` of images (n, H, W, 3) of bytes, chosen by `seed`.

    Raises InputError if the features are not installed.
    """

    @torch.no_grad()
    def __init__(self, images: np.ndarray, samples: int, seed: int = 0):
        self.features, self.seed, self.samples = lite0(), seed, min(samples, len(images))
        chosen = images[np.random.default_rng(seed).permutation(len(images))[: self.samples]]
        parts = torch.from_numpy(chosen).split(BATCH)
        self.seen = torch.cat([self.features(as_images(part)) for part in parts])

    @torch.no_grad()
    def distance(self, draw: Callable[[Tensor], Tensor], dim: int) -> float:
        """To as many pictures that `draw` makes of z (batch, dim), always the same z."""
        z = normal(self.samples, dim, stream(self.seed, "score"))
        return frechet_distance(torch.cat([self.features(draw(part)) for part in z.split(BATCH)]), self.seen)
