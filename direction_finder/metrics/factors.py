"""Measure how directions change known factors: how far each factor moves along each direction, and how cleanly.

Effects are squared so that they can be treated as shares: for small moves, the squared effects on a factor along the
directions of an orthonormal basis add up to its squared gradient, for every basis. Disentanglement and completeness are
those of Eastwood & Williams 2018 (https://openreview.net/forum?id=By-7dz-AZ) on these squares; the gap is the analogue
of the mutual information gap of Chen et al. 2018 (https://arxiv.org/abs/1802.04942).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from direction_finder.datasets import Factor
from direction_finder.directions import Direction, Directions
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.metrics.factor_network import difference
from direction_finder.metrics.intervals import Value, interval, of_means, resampled
from direction_finder.metrics.reader import Reader
from direction_finder.metrics.readings import Readings, read_along, read_samples, varied_factors
from direction_finder.metrics.samples import DEFAULT, Sampling
from direction_finder.progress import OnStep
from direction_finder.resumable import Cache, uncached

# to be named after a factor, a direction needs this share of its own effects and of the strongest direction's effect
LEAST_SHARE, LEAST_PART = 0.5, 0.05
SCORES = ("disentanglement", "completeness", "gap", "overall")
# Of the intervals of scores. Near the middle of the circle of a circular factor, all directions turn it far. Such
# latents are rare; where a sample has none, its scores are too high and their errors too small. So the truth is below
# intervals too often: the nominal 2.5 % would be 10 % with 256 latents and 21 % with 64 (tests/test_intervals.py).
TAILS = (0.001, 0.025)


@dataclass(frozen=True)
class Effects:
    """The effects of moving along directions on the factors.

    squares (samples, directions, factors): the squared slope of a factor, in its natural spreads per unit of z.
    slopes (directions, factors): the mean signed slope. flips (directions,): how often the network reads different
    classes at the two ends of a move. spreads: the natural spread of each factor over random z, in its own units.
    """

    factors: tuple[str, ...]
    squares: Tensor
    slopes: Tensor
    flips: Tensor
    spreads: tuple[float, ...]

    @property
    def matrix(self) -> Tensor:
        """Return the root mean square slopes (directions, factors), in natural spreads per unit of z."""
        return self.squares.mean(0).sqrt()


def measure_effects(
    generator: Generator,
    network: Reader,
    directions: Directions,
    sampling: Sampling = DEFAULT,
    *,
    samples: int = 256,
    step: float = 1.0,
    cache: Cache = uncached,
    on_step: OnStep | None = None,
) -> Effects:
    """Move `samples` latents by -step and +step along every direction, read the factors of both images and compare.

    The factor that is the generator's class is left out. The result depends only on the arguments and the seed.
    """
    return effects_of(
        read_along(generator, network, directions, sampling, samples=samples, step=step, cache=cache, on_step=on_step)
    )


def effects_of(readings: Readings) -> Effects:
    """Compute effects from readings.

    A factor's natural spread is sqrt(E[d^2] / 2) over pairs of random latents, where d is their `difference`; for
    numbers this is the standard deviation.
    """
    varied = [(column, factor) for column, factor in enumerate(readings.factors) if factor.name in readings.varied]
    choices = [column for column, factor in enumerate(readings.factors) if factor.choices]
    # if all samples have the same choice: the spread if one in `samples` differed
    least = (2 * len(readings.base)) ** -0.5
    spreads = [spread(factor, readings.base[:, column].contiguous()) or least for column, factor in varied]

    def along(before: Tensor, after: Tensor) -> Tensor:
        """Return a row for each sample: the slope of each factor, then for each choice 1 if it changed."""
        slopes = [
            difference(factor, after[:, column], before[:, column]) / (2 * readings.step * width)
            for (column, factor), width in zip(varied, spreads, strict=True)
        ]
        changed = [(after[:, column] != before[:, column]).float() for column in choices]
        return torch.stack([*slopes, *changed], dim=1)

    rows = torch.stack([along(before, after) for before, after in readings.moved], 1)
    slopes, changed = rows.split([len(varied), len(choices)], dim=2)
    return Effects(
        tuple(factor.name for _, factor in varied),
        slopes.square().double(),
        slopes.mean(0),
        changed.mean(0).amax(1) if choices else torch.zeros(len(readings.moved)),
        tuple(spreads),
    )


def scores(squares: Tensor) -> dict[str, Tensor]:
    """Compute scores in [0, 1] from mean squared effects (..., directions, factors): one each for the leading axes.

    disentanglement: 1 - entropy of a direction's effects over factors, weighted by its share of all effects.
    completeness: 1 - entropy of a factor's effects over directions, mean over factors; 0 for a factor that never moves.
    gap: a factor's largest share of effects minus its second largest, mean over factors.
    overall: the mean of disentanglement and completeness.
    """
    tiny = torch.finfo(squares.dtype).tiny  # avoids 0 / 0 for a direction without effects, which gets no weight
    of_direction = squares / squares.sum(-1, keepdim=True).clamp_min(tiny)
    weight = squares.sum(-1) / squares.sum((-1, -2))[..., None]
    disentanglement = (weight * (1 - _entropy(of_direction, -1))).sum(-1)
    of_factor = squares / squares.sum(-2, keepdim=True).clamp_min(tiny)
    moved = squares.sum(-2) > 0
    completeness = (moved * (1 - _entropy(of_factor, -2))).mean(-1)
    top = of_factor.topk(2, dim=-2).values
    return {
        "disentanglement": disentanglement,
        "completeness": completeness,
        "gap": (top[..., 0, :] - top[..., 1, :]).mean(-1),
        "overall": (disentanglement + completeness) / 2,
    }


def score(effects: Effects, seed: int = 0) -> dict[str, Value]:
    """Compute the scores of `scores` with bootstrap intervals over samples, within [0, 1]; see `TAILS`.

    Raises InputError for fewer than two directions or factors, for which the scores are not defined.
    """
    _, directions, factors = effects.squares.shape
    if directions < 2 or factors < 2:
        raise InputError(f"{directions} directions and {factors} factors: scores are not defined; give two of each")
    return {name: _score(name, effects.squares, seed) for name in SCORES}


def _score(name: str, squares: Tensor, seed: int) -> Value:
    found = of_means(lambda means: scores(means)[name], squares, seed, TAILS)
    return Value(found.value, max(found.low, 0.0), min(found.high, 1.0))


def shares(effects: Effects) -> list[tuple[str, float]]:
    """Return for each direction the factor that it moves most, and that factor's share of its squared effects."""
    mean = effects.squares.mean(0)
    best, which = (mean / mean.sum(1, keepdim=True).clamp_min(torch.finfo(mean.dtype).tiny)).max(1)
    return [(effects.factors[factor], share) for share, factor in zip(best.tolist(), which.tolist(), strict=True)]


def names(effects: Effects, least: float = LEAST_SHARE, part: float = LEAST_PART) -> tuple[str | None, ...]:
    """Name each direction after the factor with at least the share `least` of its effects; None if there is none.

    If several directions move one factor, the strongest gets the plain name and the others "x 2", "x 3", ...; those
    with less than the fraction `part` of the strongest one's squared effect on the factor get no name.
    """
    mean = effects.squares.mean(0)
    named: list[str | None] = [None] * len(mean)
    leader = shares(effects)
    for column, factor in enumerate(effects.factors):
        strengths = mean[:, column]
        number = 0
        for index in strengths.argsort(descending=True).tolist():
            if leader[index][0] == factor and leader[index][1] >= least and strengths[index] >= part * strengths.max():
                number += 1
                named[index] = factor if number == 1 else f"{factor} {number}"
    return tuple(named)


def alignment(
    generator: Generator,
    network: Reader,
    direction: Direction,
    sampling: Sampling = DEFAULT,
    *,
    to: float = 0.0,
    samples: int = 256,
) -> dict[str, dict[str, Value]]:
    """Measure the spread of each factor before and after `samples` latents are aligned along a direction.

    to: the coordinate at which they are aligned. Returns what `remaining` does.
    """
    before = read_samples(generator, network, sampling, samples=samples)
    after = read_samples(generator, network, sampling, samples=samples, along=direction, to=to)
    return remaining(network.factors, varied_factors(generator, network), before, after, sampling.seed)


def remaining(
    factors: Sequence[Factor], varied: Sequence[str], before: Tensor, after: Tensor, seed: int = 0
) -> dict[str, dict[str, Value]]:
    """Compute how much of the spread of the factors named in `varied` remains after an alignment.

    before, after (samples, factors): what was read in images of the samples, and of the aligned samples. Returns for
    each factor "before" and "after", in the factor's units, and "kept", which is after / before.
    """
    counts = resampled(len(before), seed)
    result = {}
    for column, factor in enumerate(factors):
        if factor.name in varied:
            first, first_around = _spreads(factor, before[:, column].contiguous(), counts)
            last, last_around = _spreads(factor, after[:, column].contiguous(), counts)
            result[factor.name] = {
                "before": interval(first, first_around),
                "after": interval(last, last_around),
                "kept": interval(last / first, last_around / first_around),
            }
    return result


def _spreads(factor: Factor, values: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return sqrt(E[d^2] / 2) over pairs of different samples, and over those of each bootstrap sample in `counts`."""
    pairs = difference(factor, values[:, None], values).double().square()
    number = 2 * len(values) * (len(values) - 1)
    return pairs.sum().div(number).sqrt(), ((counts @ pairs) * counts).sum(1).div(number).sqrt()


def spread(factor: Factor, values: Tensor) -> float:
    """Return the natural spread sqrt(E[d^2] / 2) over all pairs of values, where d is their `difference`."""
    pairs = difference(factor, values[:, None], values).double().square()
    return math.sqrt(pairs.sum().item() / (2 * len(values) * (len(values) - 1)))


def summary(effects: Effects, seed: int = 0) -> dict[str, Any]:
    """Return everything about effects that a report needs, as plain values."""
    return {
        "factors": list(effects.factors),
        "spreads": list(effects.spreads),
        "effects": effects.matrix.tolist(),
        "slopes": effects.slopes.tolist(),
        "class_flips": effects.flips.tolist(),
        "names": names(effects),
        "shares": shares(effects),
        "scores": {name: vars(value) for name, value in score(effects, seed).items()},
        "strongest": strongest(effects),
        "samples": len(effects.squares),
    }


def strongest(effects: Effects) -> list[int]:
    """Return the direction numbers, sorted by the sum of their squared effects, largest first."""
    return effects.squares.mean(0).sum(1).argsort(descending=True).tolist()


def _entropy(shares: Tensor, axis: int) -> Tensor:
    """Return the entropy along an axis, divided by its largest possible value."""
    logarithms = shares.clamp_min(torch.finfo(shares.dtype).tiny).log()  # finite slopes, which intervals need
    return -(shares * logarithms).sum(axis) / math.log(shares.shape[axis])
