"""Find positions along a direction at which consecutive images are equally far apart."""

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
CLOSE = 1.05  # stop when the largest distance divided by the smallest is at most this
FIRST_POWER, LEAST_POWER, MOST_POWER = 0.75, 0.5, 1.25  # a step's length is taken as its distance to this power
LEAST = 1e-12  # smallest distance, which avoids dividing by zero if images do not change


class Even(NamedTuple):
    """Positions (count,) and the largest distance between neighbours divided by the smallest.

    uniform: the same ratio for uniform steps.
    """

    positions: Tensor
    ratio: float
    uniform: float


def even_positions(
    distances: Callable[[Tensor], Tensor], extent: float, count: int, *, around_zero: bool = False
) -> Even:
    """Return positions within [-extent, extent] at which consecutive images are equally far apart.

    distances: positions (n,) -> the distances of consecutive images (n - 1,).
    around_zero: for an odd count, the middle position is 0, and only the side on which images change less reaches its
    end; otherwise both ends are reached.

    The distance of two images is assumed to be a power of the length of the step between them. The power is estimated
    from how much unevenness each round leaves (it is 2 for squared distances of smooth images, nearly 1 for textures).
    """
    positions = torch.linspace(-extent, extent, count, dtype=torch.double)
    around_zero = around_zero and count % 2 == 1
    end = positions.new_full((1,), extent)
    best: Even | None = None
    uniform = before = None
    power = FIRST_POWER
    for _ in range(ROUNDS):
        knots = torch.cat([-end, positions, end]) if around_zero else positions
        gaps = distances(knots.float()).double().clamp_min(LEAST)
        steps = gaps[1:-1] if around_zero else gaps
        ratio = float(steps.max() / steps.min())
        uniform = uniform or ratio
        if best is None or ratio < best.ratio:
            best = Even(positions.float(), ratio, uniform)
        if ratio <= CLOSE:
            break
        uneven = steps.log() - steps.log().mean()
        if before is not None:
            remaining = float(uneven @ before / (before @ before))
            power = min(max(power / (1 - min(remaining, 0.5)), LEAST_POWER), MOST_POWER)
        before = uneven
        path = np.concatenate([[0.0], gaps.pow(power).cumsum(0).numpy()])
        first, last = 0.0, path[-1]
        if around_zero:
            middle = np.interp(0.0, knots.numpy(), path)
            reach = min(middle, path[-1] - middle)
            first, last = middle - reach, middle + reach
        positions = torch.from_numpy(np.interp(np.linspace(first, last, count), path, knots.numpy()))
        if around_zero:
            positions[count // 2] = 0.0
    assert best is not None  # the first round sets it
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
    """Return the `distances` argument of `even_positions`: image distances along a direction, averaged over samples.

    absolute: positions are coordinates to set, instead of moves.
    """
    edit = align if absolute else move

    def distances(positions: Tensor) -> Tensor:
        moved = [edit(samples.latents, direction, float(position)) for position in positions]
        rows = zip(
            torch.cat(moved).split(max_batch), samples.class_numbers.repeat(len(moved)).split(max_batch), strict=True
        )
        images = torch.cat([generator(z, classes) for z, classes in rows])
        return similarity.consecutive(images, len(samples), max_batch).unflatten(0, (-1, len(samples))).mean(1).cpu()

    return torch.no_grad()(distances)
