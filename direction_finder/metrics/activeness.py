"""Activeness: how much an image changes with one component of z (Peebles et al. 2020, Sec. 4.2 and Fig. 5).

The coordinate along a direction is set to -2, 0 and 2, and everything else is left unchanged. The variance of each
pixel over the three images, averaged over pixels, is the activeness at one latent. A direction that hardly changes the
image is called off.
"""

import torch
from torch import Tensor

from direction_finder import edits
from direction_finder.directions import Directions
from direction_finder.generators import Generator
from direction_finder.metrics.samples import DEFAULT, Sampling
from direction_finder.progress import OnStep
from direction_finder.resumable import Cache, in_parts, uncached

VALUES = (-2.0, 0.0, 2.0)
ACTIVE = 0.05  # a direction below this fraction of the largest activeness counts as off


def variances(images: Tensor) -> Tensor:
    """Return the unbiased variance over values, averaged over pixels: images (values, n, ...) -> (n,)."""
    return images.var(0).flatten(1).mean(1)


@torch.no_grad()
def activeness(
    generator: Generator,
    directions: Directions,
    sampling: Sampling = DEFAULT,
    *,
    samples: int = 300,
    cache: Cache = uncached,
    on_step: OnStep | None = None,
) -> Tensor:
    """Measure the activeness of every direction at every latent: (directions, samples)."""
    latents, classes = sampling.draw(generator, samples)
    at_once = max(1, sampling.max_batch // len(VALUES))

    def along(index: int) -> Tensor:
        direction, batches = directions[index], []
        for part, labels in zip(latents.split(at_once), classes.split(at_once), strict=True):
            aligned = [edits.align(part, direction, value) for value in VALUES]
            images = generator(torch.cat(aligned), labels.repeat(len(VALUES)))
            batches.append(variances(images.unflatten(0, (len(VALUES), len(part)))).cpu())
        return torch.cat(batches)

    return torch.stack(
        in_parts(len(directions), along, "measuring activeness", "direction", cache=cache, on_step=on_step)
    )


def active(means: Tensor) -> int:
    """Return how many directions are not off, from their mean activeness (directions,)."""
    return int((means > ACTIVE * means.max()).sum())
