"""Directions against known factors: how far each factor moves along each direction, and how cleanly.

Effects are squared, because then they are shares: for small moves the squared effects of a factor along the directions
of an orthonormal basis add up to its squared gradient, whatever the basis. Disentanglement and completeness are those
of Eastwood & Williams 2018 (https://openreview.net/forum?id=By-7dz-AZ) on these squares; the gap is the analogue of the
mutual information gap of Chen et al. 2018 (https://arxiv.org/abs/1802.04942).
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from direction_finder import edits
from direction_finder.datasets import Factor
from direction_finder.directions import Direction, Directions
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.metrics.factor_network import FactorNetwork, difference, read_all
from direction_finder.metrics.intervals import Value, interval, resampled
from direction_finder.metrics.parts import Keep, anew, in_parts
from direction_finder.metrics.samples import DEFAULT, Sampling
from direction_finder.progress import OnStep

LEAST_SHARE, LEAST_PART = 0.5, 0.05  # of a direction's effects, and of the strongest direction's, to be named after it


@dataclass(frozen=True)
class Effects:
    """What moving along directions does to the factors.

    squares (samples, directions, factors): the squared slope of a factor, in its natural spreads per unit of z.
    slopes (directions, factors): the mean signed slope. flips (directions,): how often the class that the network reads
    is another one at the two ends of a move. spreads: of each factor over random z, in its own units.
    """

    factors: tuple[str, ...]
    squares: Tensor
    slopes: Tensor
    flips: Tensor
    spreads: tuple[float, ...]

    @property
    def matrix(self) -> Tensor:
        """Root mean square slopes (directions, factors): natural spreads per unit of z."""
        return self.squares.mean(0).sqrt()


@torch.no_grad()
def measure_effects(
    generator: Generator,
    network: FactorNetwork,
    directions: Directions,
    sampling: Sampling = DEFAULT,
    *,
    samples: int = 256,
    step: float = 1.0,
    keep: Keep = anew,
    on_step: OnStep | None = None,
) -> Effects:
    """Move `samples` latents by -step and +step along every direction and read the factors of both pictures.

    A factor's natural spread is sqrt(E[d^2] / 2) over pairs of random latents, d
    their difference (on the circle, if it is one; of choices 1 where they differ): the standard deviation of numbers.
    The choice that is the generator's class is left out. Deterministic in the seed.
    """
    _check(generator, network)
    varied = _varied(generator, network)
    choices = [factor.name for factor in network.factors if factor.choices]
    latents, classes = sampling.draw(generator, samples)
    samples = len(latents)
    base = read_generated(generator, network, latents, classes, sampling.max_batch)
    least = (2 * samples) ** -0.5  # of a choice that all samples share: one in `samples` might not
    spreads = [spread(factor, base[factor.name]) or least for factor in varied]

    def along(index: int) -> Tensor:
        """A row for each sample: the slope of each factor, then for each choice 1 if it changed."""
        direction = directions[index]
        low, high = (
            read_generated(generator, network, edits.move(latents, direction, amount), classes, sampling.max_batch)
            for amount in (-step, step)
        )
        slopes = [
            difference(factor, high[factor.name], low[factor.name]) / (2 * step * width)
            for factor, width in zip(varied, spreads, strict=True)
        ]
        changed = [(high[name] != low[name]).float() for name in choices]
        return torch.stack([*slopes, *changed], dim=1)

    found = in_parts(len(directions), along, "measuring factors", "direction", keep=keep, on_step=on_step)
    slopes, changed = torch.stack(found, 1).split([len(varied), len(choices)], dim=2)
    return Effects(
        tuple(factor.name for factor in varied),
        slopes.square().double(),
        slopes.mean(0),
        changed.mean(0).amax(1) if choices else torch.zeros(len(directions)),
        tuple(spreads),
    )


def scores(squares: Tensor) -> dict[str, Tensor]:
    """Scores of mean squared effects (..., directions, factors), each in [0, 1]; the leading axes stay.

    disentanglement: 1 - entropy of a direction's shares of the factors, weighted by its part of all effects.
    completeness: 1 - entropy of a factor's shares of the directions, mean over factors; 0 for one that nothing moves.
    gap: the largest share of a factor minus the second largest, mean over factors.
    overall: the mean of disentanglement and completeness.
    """
    tiny = torch.finfo(squares.dtype).tiny  # a direction that moves nothing has no shares, and no weight
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
    """The scores with intervals. Raises InputError for fewer than two directions or factors, which have no scores."""
    samples, directions, factors = effects.squares.shape
    if directions < 2 or factors < 2:
        raise InputError(f"{directions} directions and {factors} factors: a score needs two of each")
    counts = resampled(samples, seed)
    means = (counts @ effects.squares.flatten(1) / samples).unflatten(1, (directions, factors))
    around = scores(means)
    return {name: interval(value, around[name]) for name, value in scores(effects.squares.mean(0)).items()}


def shares(effects: Effects) -> list[tuple[str, float]]:
    """For each direction the factor that it moves most, and that factor's share of the direction's squared effects."""
    mean = effects.squares.mean(0)
    best, which = (mean / mean.sum(1, keepdim=True).clamp_min(torch.finfo(mean.dtype).tiny)).max(1)
    return [(effects.factors[factor], share) for share, factor in zip(best.tolist(), which.tolist(), strict=True)]


def names(effects: Effects, least: float = LEAST_SHARE, part: float = LEAST_PART) -> tuple[str | None, ...]:
    """A name for each direction: the factor that has at least `least` of its effects; None if none has.

    Of several directions of one factor the one that moves it most has its plain name, the others "x 2", "x 3", ...;
    those with less than `part` of the strongest one's squared effect on it have no name.
    """
    mean = effects.squares.mean(0)
    named: list[str | None] = [None] * len(mean)
    own = shares(effects)
    for column, factor in enumerate(effects.factors):
        strengths = mean[:, column]
        number = 0
        for index in strengths.argsort(descending=True).tolist():
            if own[index][0] == factor and own[index][1] >= least and strengths[index] >= part * strengths.max():
                number += 1
                named[index] = factor if number == 1 else f"{factor} {number}"
    return tuple(named)


@torch.no_grad()
def alignment(
    generator: Generator,
    network: FactorNetwork,
    direction: Direction,
    sampling: Sampling = DEFAULT,
    *,
    to: float = 0.0,
    samples: int = 256,
) -> dict[str, dict[str, Value]]:
    """The spread of each factor before and after `samples` latents are aligned, and what is left of it.

    Returns for each factor "before" and "after", in the factor's units, and "kept", after / before.
    """
    _check(generator, network)
    latents, classes = sampling.draw(generator, samples)
    samples = len(latents)
    aligned = edits.align(latents, direction, to)
    before, after = (
        read_generated(generator, network, each, classes, sampling.max_batch) for each in (latents, aligned)
    )
    counts = resampled(samples, sampling.seed)
    result = {}
    for factor in _varied(generator, network):
        values = {}
        for name, read in (("before", before), ("after", after)):
            pairs = difference(factor, read[factor.name][:, None], read[factor.name]).double().square()
            # sqrt(E[d^2] / 2) over pairs of different samples, and of their resamples
            all_pairs = ((counts @ pairs) * counts).sum(1)
            values[name] = (
                pairs.sum().div(2 * samples * (samples - 1)).sqrt(),
                all_pairs.div(2 * samples * (samples - 1)).sqrt(),
            )
        (was, was_around), (now, now_around) = values["before"], values["after"]
        result[factor.name] = {
            "before": interval(was, was_around),
            "after": interval(now, now_around),
            "kept": interval(now / was, now_around / was_around),
        }
    return result


def spread(factor: Factor, values: Tensor) -> float:
    """sqrt(E[d^2] / 2) over all pairs of different values; on the circle d is the shorter way round."""
    pairs = difference(factor, values[:, None], values).double().square()
    return math.sqrt(pairs.sum().item() / (2 * len(values) * (len(values) - 1)))


@torch.no_grad()
def read_generated(
    generator: Generator, network: FactorNetwork, latents: Tensor, classes: Tensor, max_batch: int = 32
) -> dict[str, Tensor]:
    """The factors that the network reads in generated pictures, on the CPU."""
    batches = zip(latents.split(max_batch), classes.split(max_batch), strict=True)
    images = torch.cat([generator(z, c) for z, c in batches])
    return {name: values.cpu() for name, values in read_all(network, images).items()}


def summary(effects: Effects, seed: int = 0) -> dict[str, Any]:
    """Everything about effects that a report needs, as plain values."""
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
    """Direction numbers by the sum of their squared effects, largest first."""
    return effects.squares.mean(0).sum(1).argsort(descending=True).tolist()


def _varied(generator: Generator, network: FactorNetwork) -> list[Factor]:
    """The factors that latents decide: all but the class that a generator is told."""
    return [factor for factor in network.factors if not factor.choices or factor.choices != generator.class_names]


def _entropy(shares: Tensor, axis: int) -> Tensor:
    """Entropy along an axis, in units of its largest possible value."""
    return -torch.xlogy(shares, shares).sum(axis) / math.log(shares.shape[axis])


def _check(generator: Generator, network: FactorNetwork) -> None:
    if generator.resolution != network.resolution:
        raise InputError(
            f"{generator.name} draws {generator.resolution} pixels; the factor network reads {network.resolution}"
        )
