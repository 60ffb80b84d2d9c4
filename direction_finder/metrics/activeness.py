"""Activeness: how much a picture changes with one component of z (Peebles et al. 2020, Sec. 4.3 and Fig. 4).

The coordinate along a direction is set to -2, 0 and 2, everything else left as it is. The variance of each pixel over
the three pictures, averaged over pixels, is the activeness at one latent. A coordinate that does nothing is off.
"""

import torch
from torch import Tensor

from direction_finder import edits
from direction_finder.directions import Directions
from direction_finder.generators import Generator
from direction_finder.metrics.parts import Keep, anew, in_parts
from direction_finder.metrics.samples import DEFAULT, Sampling
from direction_finder.progress import OnStep

VALUES = (-2.0, 0.0, 2.0)
ACTIVE = 0.05  # of the largest activeness: a direction below it counts as off


def variances(images: Tensor) -> Tensor:
    """Images (values, n, ...) -> (n,): the unbiased variance over values, averaged over pixels."""
    return images.var(0).flatten(1).mean(1)


@torch.no_grad()
def activeness(
    generator: Generator,
    directions: Directions,
    sampling: Sampling = DEFAULT,
    *,
    samples: int = 300,
    keep: Keep = anew,
    on_step: OnStep | None = None,
) -> Tensor:
    """Of every direction at every latent: (directions, samples)."""
    latents, classes = sampling.draw(generator, samples)
    at_once = max(1, sampling.max_batch // len(VALUES))

    def along(index: int) -> Tensor:
        direction, found = directions[index], []
        for part, of in zip(latents.split(at_once), classes.split(at_once), strict=True):
            placed = [edits.align(part, direction, value) for value in VALUES]
            images = generator(torch.cat(placed), of.repeat(len(VALUES)))
            found.append(variances(images.unflatten(0, (len(VALUES), len(part)))).cpu())
        return torch.cat(found)

    return torch.stack(
        in_parts(len(directions), along, "measuring activeness", "direction", keep=keep, on_step=on_step)
    )


def active(means: Tensor) -> int:
    """How many directions are on, of their mean activeness (directions,)."""
    return int((means > ACTIVE * means.max()).sum())
