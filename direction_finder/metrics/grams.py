"""Measure J^T J at several points, in the coordinates along directions: what each direction moves of another's effect.

What these matrices say about directions is compared with what they say about random mixtures of them: other *views* of
the same matrices, in which no direction is special. This is fair only at points from which the directions were not
found, so the matrices in the state of a run are not used: a basis fits its own points too well.
"""

import torch
from torch import Tensor

from direction_finder.directions import Directions
from direction_finder.generators import Generator
from direction_finder.hessians import jacobian_gram
from direction_finder.metrics.samples import DEFAULT, Sampling, images_along
from direction_finder.progress import OnStep
from direction_finder.randomness import normal, stream
from direction_finder.resumable import Cache, in_parts, uncached

MIXED = 400  # random mixtures that directions are compared with, at least


def grams_along(
    generator: Generator,
    directions: Directions,
    sampling: Sampling = DEFAULT,
    *,
    count: int,
    cache: Cache = uncached,
    on_step: OnStep | None = None,
) -> Tensor:
    """Measure J^T J of the image in the coordinates along directions: (count, num, num), each of norm 1.

    Each is taken at another random z, by 2 num forward passes, and needs no gradient. Matrices of 0 stay 0.
    """
    latents, classes = sampling.draw(generator, count)

    along, origin = images_along(generator, directions, latents, classes), torch.zeros(len(directions)).to(latents)

    def take(number: int) -> Tensor:
        at = [torch.tensor([number], device=latents.device)]
        return jacobian_gram(along, origin, context=at, max_batch=sampling.max_batch).cpu()

    parts = in_parts(len(latents), take, "measuring side effects", "point", cache=cache, on_step=on_step)
    grams = torch.stack(parts)
    norms = grams.norm(dim=(1, 2), keepdim=True)
    return grams / norms.where(norms > 0, 1)


def mixed_views(grams: Tensor, seed: int = 0) -> list[Tensor]:
    """Return matrices (points, num, num) along several random orthonormal mixtures of their directions."""
    num, views = grams.shape[-1], []
    for draw in range(-(-MIXED // num)):
        rows = torch.linalg.qr(normal(num, num, stream(seed, f"mixture {draw}")))[0]
        views.append(rows @ grams @ rows.mT)
    return views
