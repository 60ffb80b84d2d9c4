"""Positions along a direction at which consecutive pictures are equally far apart."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from direction_finder.directions import Direction
from direction_finder.edits import align, move
from direction_finder.generators import Generator
from direction_finder.metrics.features import Similarity

ROUNDS = 20
CLOSE = 1.05  # the largest distance, in smallest ones, that is even enough to stop
LEAST = 1e-12  # of distances, so that pictures which do not change divide nothing by zero


class Even(NamedTuple):
    """Positions (count,), the largest distance of neighbours divided by the smallest, and that of uniform steps."""

    positions: Tensor
    ratio: float
    uniform: float


def even_positions(distances: Callable[[Tensor], Tensor], extent: float, count: int) -> Even:
    """From -extent to extent. distances: positions (n,) -> how far each next picture is, (n - 1,).

    Moves positions along the polyline of pictures, whose length is the sum of the roots of the distances (these are
    squared ones, see `features`), until the distances are even.
    """
    positions = torch.linspace(-extent, extent, count, dtype=torch.double)
    best = uniform = None
    for _ in range(ROUNDS):
        found = distances(positions.float()).double().clamp_min(LEAST)
        ratio = float(found.max() / found.min())
        uniform = uniform or ratio
        if best is None or ratio < best.ratio:
            best = Even(positions.float(), ratio, uniform)
        if ratio <= CLOSE:
            break
        way = np.concatenate([[0.0], found.sqrt().cumsum(0).numpy()])
        positions = torch.from_numpy(np.interp(np.linspace(0, way[-1], count), way, positions.numpy()))
    return best


def along(
    generator: Generator,
    similarity: Similarity,
    direction: Direction,
    latents: Tensor,
    classes: Tensor,
    *,
    absolute: bool = False,
    max_batch: int = 32,
) -> Callable[[Tensor], Tensor]:
    """For `even_positions`: the mean over latents (n, layers, dim) of the distances of pictures along a direction.

    absolute: positions are coordinates that are set, and not moves.
    """
    edit = align if absolute else move

    def distances(positions: Tensor) -> Tensor:
        moved = [edit(latents, direction, float(position)) for position in positions]
        rows = zip(torch.cat(moved).split(max_batch), classes.repeat(len(moved)).split(max_batch), strict=True)
        images = torch.cat([generator(z, of) for z, of in rows]).unflatten(0, (len(moved), len(latents)))
        pairs = zip(images[:-1].flatten(0, 1).split(max_batch), images[1:].flatten(0, 1).split(max_batch), strict=True)
        return torch.cat([similarity(a, b) for a, b in pairs]).unflatten(0, (-1, len(latents))).mean(1).cpu()

    return torch.no_grad()(distances)
