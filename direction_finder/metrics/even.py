"""Positions along a direction at which consecutive pictures are equally far apart."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from direction_finder.direction import Direction
from direction_finder.edits import align, move
from direction_finder.generators import Generator
from direction_finder.metrics.features import Similarity
from direction_finder.samples import Samples

ROUNDS = 20
CLOSE = 1.05  # the largest distance, in smallest ones, that is even enough to stop
FIRST_POWER, LEAST_POWER, MOST_POWER = 0.75, 0.5, 1.25  # of a distance, that a step's length goes with
LEAST = 1e-12  # of distances, so that pictures which do not change divide nothing by zero


class Even(NamedTuple):
    """Positions (count,), the largest distance of neighbours divided by the smallest, and that of uniform steps."""

    positions: Tensor
    ratio: float
    uniform: float


def even_positions(
    distances: Callable[[Tensor], Tensor], extent: float, count: int, *, around_zero: bool = False
) -> Even:
    """Return positions within [-extent, extent] at which consecutive pictures are equally far apart.

    distances: positions (n,) -> how far each next picture is, (n - 1,). around_zero: the middle position is 0, and the
    side along which pictures change less reaches its end (of an odd count); else both ends are reached.

    A step's distance is taken to grow as a power of its length; the power is learned from what each round leaves of the
    unevenness (squared distances of smooth pictures have the power 2, those of textures nearly 1).
    """
    positions = torch.linspace(-extent, extent, count, dtype=torch.double)
    around_zero = around_zero and count % 2 == 1
    end = positions.new_full((1,), extent)
    best: Even | None = None
    uniform = before = None
    power = FIRST_POWER
    for _ in range(ROUNDS):
        knots = torch.cat([-end, positions, end]) if around_zero else positions
        found = distances(knots.float()).double().clamp_min(LEAST)
        steps = found[1:-1] if around_zero else found
        ratio = float(steps.max() / steps.min())
        uniform = uniform or ratio
        if best is None or ratio < best.ratio:
            best = Even(positions.float(), ratio, uniform)
        if ratio <= CLOSE:
            break
        uneven = steps.log() - steps.log().mean()
        if before is not None:
            left = float(uneven @ before / (before @ before))
            power = min(max(power / (1 - min(left, 0.5)), LEAST_POWER), MOST_POWER)
        before = uneven
        way = np.concatenate([[0.0], found.pow(power).cumsum(0).numpy()])
        first, last = 0.0, way[-1]
        if around_zero:
            middle = np.interp(0.0, knots.numpy(), way)
            reach = min(middle, way[-1] - middle)
            first, last = middle - reach, middle + reach
        positions = torch.from_numpy(np.interp(np.linspace(first, last, count), way, knots.numpy()))
        if around_zero:
            positions[count // 2] = 0.0
    assert best is not None  # the first round found one
    return best


def along(
    generator: Generator,
    similarity: Similarity,
    direction: Direction,
    samples: Samples,
    *,
    absolute: bool = False,
    max_batch: int = 32,
) -> Callable[[Tensor], Tensor]:
    """For `even_positions`: the mean over samples of the distances of pictures along a direction.

    absolute: positions are coordinates that are set, and not moves.
    """
    edit = align if absolute else move

    def distances(positions: Tensor) -> Tensor:
        moved = [edit(samples.latents, direction, float(position)) for position in positions]
        rows = zip(
            torch.cat(moved).split(max_batch), samples.class_numbers.repeat(len(moved)).split(max_batch), strict=True
        )
        images = torch.cat([generator(z, of) for z, of in rows])
        return similarity.consecutive(images, len(samples), max_batch).unflatten(0, (-1, len(samples))).mean(1).cpu()

    return torch.no_grad()(distances)
