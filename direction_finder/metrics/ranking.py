"""Which directions matter: signals that need no labels, each beside what random directions give, and a short list.

localised: the largest part of a direction's energy that lies in one chunk of z; where z is not split but feeds several
layers, the largest part of its effect that comes from one third of them. diagonal: the part of the energy of Hessians
of random projections of the picture, along it, that lies on the diagonal. activeness: see `activeness`. agreement: the
|cosine| with the direction that it is matched with in another run (one to one, so that the sum is largest), the mean
over runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import normalize

from direction_finder import edits
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.hessians import hessian, orthogonal_probes
from direction_finder.metrics.activeness import ACTIVE
from direction_finder.metrics.parts import Keep, anew, in_parts
from direction_finder.metrics.samples import DEFAULT, Sampling
from direction_finder.progress import OnStep
from direction_finder.randomness import normal, stream

NULL = 0.95  # a signal says something if it is above this part of what random directions give
CHANCES = 1000  # random directions behind that
LEAST = 1e-9  # of a signal in multiples of chance, so that it has a logarithm
OFF = 100.0  # more than what the signals of any two directions differ by
FOLLOWED, LAYERED = 8, 2.0  # latents that are moved in some layers only, and how far, both ways


@dataclass(frozen=True)
class Signal:
    """One value a direction, and what 95 % of random directions stay below. where: what the value is about, in words,
    for each direction, if it differs."""

    name: str
    values: Tensor
    chance: float
    where: tuple[str, ...] = ()

    @property
    def telling(self) -> Tensor:
        """Which directions are above chance."""
        return self.values > self.chance


def of_chance(values: Tensor) -> float:
    """What 95 % of random directions stay below."""
    return values.double().quantile(NULL).item()


def random_rows(directions: Directions, count: int, seed: int) -> Tensor:
    """Random unit vectors (count, dim) in the dimensions that the directions use."""
    used = (directions.vectors != 0).any(0)
    return normalize(normal(count, directions.dim, stream(seed, "random rows")) * used, dim=1)


def chunk_shares(rows: Tensor, chunk: int) -> Tensor:
    """Of rows (num, dim): the part of each one's energy in every chunk, (num, chunks)."""
    energy = rows.square().unflatten(1, (-1, chunk)).sum(2)
    return energy / energy.sum(1, keepdim=True)


def localised(directions: Directions, chunk: int, seed: int = 0) -> Signal:
    """By chunks of z; needs no generator."""
    random = chunk_shares(random_rows(directions, CHANCES, seed), chunk).amax(1)
    values, best = chunk_shares(directions.vectors, chunk).max(1)
    where = tuple(f"z {chunk * i}-{chunk * (i + 1) - 1}" for i in best.tolist())
    return Signal("localised", values, of_chance(random), where)


def localised_in_layers(
    generator: Generator, directions: Directions, random: Directions, sampling: Sampling = DEFAULT
) -> Signal:
    """By thirds of the layers: "coarse", "mid" or "fine"."""
    latents, classes = sampling.draw(generator, FOLLOWED)
    thirds = {name: part["layers"] for name, part in generator.outline.spaces.items() if part}
    found, chance = (
        _effects(generator, each, thirds, latents, classes, sampling.max_batch) for each in (directions, random)
    )
    values, best = found.max(1)
    return Signal("localised", values, of_chance(chance.amax(1)), tuple([*thirds][i] for i in best.tolist()))


@torch.no_grad()
def _effects(
    generator: Generator,
    directions: Directions,
    thirds: dict[str, tuple[int, int]],
    latents: Tensor,
    classes: Tensor,
    max_batch: int,
) -> Tensor:
    """The part of each direction's effect on the picture that comes from every third of the layers: (num, thirds).

    Effects are squared changes of the pixels between both ends of a move in these layers alone.
    """
    found = []
    for direction in directions:
        squares = []
        for first, last in thirds.values():
            acted_on = [i for i in range(first, last + 1) if direction.layers is None or i in direction.layers]
            ends = [edits.move(latents, direction, step, acted_on) for step in (-LAYERED, LAYERED)]
            batches = zip(torch.cat(ends).split(max_batch), classes.repeat(2).split(max_batch), strict=True)
            low, high = torch.cat([generator(z, of) for z, of in batches]).chunk(2)
            squares.append((high - low).square().mean().cpu())
        found.append(torch.stack(squares))
    energy = torch.stack(found)
    return energy / energy.sum(1, keepdim=True).clamp_min(torch.finfo(energy.dtype).tiny)


def hessians_along(
    generator: Generator,
    directions: Directions,
    sampling: Sampling = DEFAULT,
    *,
    count: int,
    keep: Keep = anew,
    on_step: OnStep | None = None,
) -> Tensor:
    """(count, num, num): of random projections of the picture at random z, in the coordinates along the directions."""
    generator.check_differentiable("a Hessian")
    latents, classes = sampling.draw(generator, count)
    with torch.no_grad():
        shape = generator(latents[:1], classes[:1]).shape[1:]

    def take(number: int) -> Tensor:
        rng = stream(sampling.seed, f"rank {number}")
        projection = torch.randn(shape, generator=rng).to(latents)
        here, of = latents[number : number + 1], classes[number : number + 1]

        def along(rows: Tensor) -> Tensor:
            moves = zip(directions, rows.T, strict=True)
            return generator(edits.combine(here.expand(len(rows), -1, -1), moves), of.expand(len(rows)))

        start = torch.zeros(len(directions), device=latents.device)
        probes = orthogonal_probes(len(directions), rng)
        return hessian(along, start, projection, probes, max_batch=sampling.max_batch).cpu()

    return torch.stack(in_parts(len(latents), take, "measuring Hessians", "Hessian", keep=keep, on_step=on_step))


def diagonal(hessians: Tensor, seed: int = 0) -> Signal:
    """Of Hessians (count, num, num) along the directions; random directions are random mixtures of these."""
    unit = hessians / hessians.flatten(1).norm(dim=1)[:, None, None]
    random = normalize(normal(CHANCES, hessians.shape[-1], stream(seed, "random mixtures")), dim=1)

    def energies(rows: Tensor) -> Tensor:
        turned = torch.einsum("ni,cij->cnj", rows, unit)  # H r
        on = torch.einsum("cnj,nj->cn", turned, rows).square().sum(0)
        return on / turned.square().sum((0, 2)).clamp_min(torch.finfo(unit.dtype).tiny)

    return Signal("diagonal", energies(torch.eye(hessians.shape[-1])), of_chance(energies(random)))


def matched(a: Directions, b: Directions) -> Tensor:
    """|cosine| of each direction of `a` with its partner in `b`, one to one so that the sum is largest: (num of a,).

    Directions that act on other layers are not matched; one that finds no partner has 0.
    """
    if a.dim != b.dim:
        raise InputError(f"directions of {a.dim} and {b.dim} dimensions: they cannot be compared")
    same = torch.tensor([[one == other for other in b.layers] for one in a.layers])
    cosines = (a.vectors.double() @ b.vectors.double().mT).abs() * same
    rows, columns = linear_sum_assignment(-cosines.numpy())
    found = torch.zeros(len(a), dtype=torch.double)
    found[rows] = cosines[rows, columns]
    return found


def agreement(directions: Directions, others: Sequence[Directions], seed: int = 0) -> Signal:
    """With other runs; chance is that of two random bases, matched in the same way."""
    values = torch.stack([matched(directions, other) for other in others]).mean(0)
    used = int((directions.vectors != 0).any(0).sum())
    draws = []
    for number in range(max(1, CHANCES // len(directions))):
        turned = torch.linalg.qr(normal(used, used, stream(seed, f"random basis {number}")))[0].abs().double()
        cosines = turned[: len(directions)]
        draws.append(cosines[linear_sum_assignment(-cosines.numpy())])
    return Signal("agreement", values.float(), of_chance(torch.cat(draws)))


def short_list(signals: Sequence[Signal], most: int) -> list[int]:
    """The first `most` in order of those that are on; where activeness was not measured, of those above chance in one
    signal at least. Raises InputError without signals."""
    order, on = ordered(signals), next((_on(signal) for signal in signals if signal.name == "activeness"), None)
    kept = torch.stack([signal.telling for signal in signals]).any(0) if on is None else on
    return [index for index in order if kept[index]][:most]


def ordered(signals: Sequence[Signal]) -> list[int]:
    """All directions, best first: by the geometric mean of their signals, each in multiples of its chance.

    Directions that are off (activeness below 5 % of the largest) come last. Raises InputError without signals.
    """
    if not signals:
        raise InputError("nothing to rank by: give the generator, or other runs to agree with")
    multiples = torch.stack([signal.values.double() / signal.chance for signal in signals])
    score = multiples.clamp_min(LEAST).log().mean(0)
    for signal in signals:
        if signal.name == "activeness":
            score[~_on(signal)] -= OFF
    return score.argsort(descending=True, stable=True).tolist()


def _on(activeness: Signal) -> Tensor:
    return activeness.values > ACTIVE * activeness.values.max()
