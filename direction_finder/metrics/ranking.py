"""Rank directions by signals that need no labels, each compared with random directions, and make a short list.

localised: the largest share of a direction's energy in one chunk of z; if z is not split into chunks but used by
several layers, the largest share of its effect that comes from one third of the layers. diagonal: the share of the
energy that lies on the diagonal, in Hessians of random projections of the image along the direction. activeness: see
`activeness`. agreement: the |cosine| with the matching direction of another run, averaged over runs; directions are
matched one to one so that the sum is largest. Others are in `side_effects` and `distortion`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import t
from torch import Tensor
from torch.nn.functional import normalize

from direction_finder import edits
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.hessians import hessian, orthogonal_probes
from direction_finder.metrics.activeness import ACTIVE
from direction_finder.metrics.samples import DEFAULT, Sampling, images_along
from direction_finder.progress import OnStep
from direction_finder.randomness import normal, stream
from direction_finder.resumable import Cache, in_parts, uncached

NULL = 0.95  # a signal is above chance if it exceeds this quantile of random directions
CHANCES = 1000  # random directions behind that quantile, unless each costs images
FEW = 100  # random directions below which a quantile is extrapolated
LEAST = 1e-9  # smallest signal in multiples of chance, so that its logarithm is finite
OFF = 100.0  # larger than the difference between the scores of any two directions
FOLLOWED, LAYERED = 8, 2.0  # latents that are moved in some layers only, and how far in both ways


@dataclass(frozen=True)
class Signal:
    """One value for each direction, and the value `chance` that 95 % of random directions stay below.

    where: for each direction, the part of the latents that its value refers to, if the signal is about parts.
    random: the values of random directions, if they are known. share: whether values are in [0, 1]. scored: whether the
    order depends on the signal.
    """

    name: str
    values: Tensor
    chance: float
    where: tuple[str, ...] = ()
    random: Tensor | None = None
    share: bool = False
    scored: bool = True

    @property
    def telling(self) -> Tensor:
        """Return which directions are above chance, as booleans."""
        return self.values > self.chance

    def clear(self, tests: int) -> Tensor:
        """Return which directions are so far above chance that one of `tests` signals is for 5 % of random directions.

        This is Bonferroni's correction; without the values of random directions, it is `telling`.
        """
        if self.random is None:
            return self.telling
        return self.values > of_chance(self.random, 1 - (1 - NULL) / tests, self.share)


def compared(
    name: str,
    values: Tensor,
    random: Tensor,
    where: tuple[str, ...] = (),
    *,
    share: bool = False,
    scored: bool = True,
) -> Signal:
    """Return the signal of directions with these values, compared with the values of random directions."""
    return Signal(name, values, of_chance(random, share=share), where, random, share, scored)


def of_chance(values: Tensor, level: float = NULL, share: bool = False) -> float:
    """Return the value that a share `level` of random directions stay below, from the values of some of them.

    The largest of a few values lies below a high quantile too often. So fewer than 100 values are made nearly normal,
    by their cube roots as sums of squares are (Wilson and Hilferty 1931), or by their log odds if they are shares; the
    result is the limit below which the next one lies with the probability `level`.
    """
    values = values.double()
    if len(values) >= FEW:
        return values.quantile(level).item()
    normal_values = values.logit(eps=1e-9) if share else values ** (1 / 3)
    width = float(t.ppf(level, len(values) - 1)) * (1 + 1 / len(values)) ** 0.5
    limit = normal_values.mean() + width * normal_values.std()
    return float(limit.sigmoid() if share else limit**3)


def random_rows(directions: Directions, count: int, seed: int) -> Tensor:
    """Return random unit vectors (count, dim) within the dimensions that the directions use."""
    used = (directions.vectors != 0).any(0)
    return normalize(normal(count, directions.dim, stream(seed, "random rows")) * used, dim=1)


def chunk_shares(rows: Tensor, chunk: int) -> Tensor:
    """Return the share of the energy of each row (num, dim) that lies in every chunk: (num, chunks)."""
    energy = rows.square().unflatten(1, (-1, chunk)).sum(2)
    return energy / energy.sum(1, keepdim=True)


def localised(directions: Directions, chunk: int, seed: int = 0) -> Signal:
    """Compute the signal `localised` by chunks of z of this size; it needs no generator."""
    random = chunk_shares(random_rows(directions, CHANCES, seed), chunk).amax(1)
    values, best = chunk_shares(directions.vectors, chunk).max(1)
    where = tuple(f"z {chunk * i}-{chunk * (i + 1) - 1}" for i in best.tolist())
    return compared("localised", values, random, where)


def localised_in_layers(
    generator: Generator, directions: Directions, random: Directions, sampling: Sampling = DEFAULT
) -> Signal:
    """Measure the signal `localised` by thirds of the layers: "coarse", "mid" or "fine".

    random: random directions, which give the value for chance.
    """
    latents, classes = sampling.draw(generator, FOLLOWED)
    thirds = {name: part["layers"] for name, part in generator.outline.parts.items() if part}
    effects, chance = (
        _effects(generator, group, thirds, latents, classes, sampling.max_batch) for group in (directions, random)
    )
    values, best = effects.max(1)
    return compared("localised", values, chance.amax(1), tuple([*thirds][i] for i in best.tolist()), share=True)


@torch.no_grad()
def _effects(
    generator: Generator,
    directions: Directions,
    thirds: dict[str, tuple[int, int]],
    latents: Tensor,
    classes: Tensor,
    max_batch: int,
) -> Tensor:
    """Measure the share of each direction's effect on the image that comes from every third of the layers.

    Effects are squared changes of the pixels between both ends of a move in these layers alone. Returns (num, thirds).
    """
    effects = []
    for direction in directions:
        squares = []
        for first, last in thirds.values():
            acted_on = [i for i in range(first, last + 1) if direction.layers is None or i in direction.layers]
            ends = [edits.move(latents, direction, step, acted_on) for step in (-LAYERED, LAYERED)]
            batches = zip(torch.cat(ends).split(max_batch), classes.repeat(2).split(max_batch), strict=True)
            low, high = torch.cat([generator(z, labels) for z, labels in batches]).chunk(2)
            squares.append((high - low).square().mean().cpu())
        effects.append(torch.stack(squares))
    energy = torch.stack(effects)
    return energy / energy.sum(1, keepdim=True).clamp_min(torch.finfo(energy.dtype).tiny)


def hessians_along(
    generator: Generator,
    directions: Directions,
    sampling: Sampling = DEFAULT,
    *,
    count: int,
    cache: Cache = uncached,
    on_step: OnStep | None = None,
) -> Tensor:
    """Compute Hessians (count, num, num) of random projections of the image in the coordinates along the directions.

    Each is taken at another random z.
    """
    generator.check_differentiable("a Hessian")
    latents, classes = sampling.draw(generator, count)
    with torch.no_grad():
        shape = generator(latents[:1], classes[:1]).shape[1:]

    along, origin = images_along(generator, directions, latents, classes), torch.zeros(len(directions)).to(latents)

    def take(number: int) -> Tensor:
        rng = stream(sampling.seed, f"rank {number}")
        projection = torch.randn(shape, generator=rng).to(latents)
        at = [torch.tensor([number], device=latents.device)]
        probes = orthogonal_probes(len(directions), rng)
        return hessian(along, origin, projection, probes, context=at, max_batch=sampling.max_batch).cpu()

    return torch.stack(in_parts(len(latents), take, "measuring Hessians", "Hessian", cache=cache, on_step=on_step))


def diagonal(hessians: Tensor, seed: int = 0) -> Signal:
    """Compute the signal `diagonal` from Hessians (count, num, num) along the directions.

    Chance is the value for random mixtures of the directions.
    """
    unit = hessians / hessians.flatten(1).norm(dim=1).clamp_min(torch.finfo(hessians.dtype).tiny)[:, None, None]
    random = normalize(normal(CHANCES, hessians.shape[-1], stream(seed, "random mixtures")), dim=1)

    def energies(rows: Tensor) -> Tensor:
        products = torch.einsum("ni,cij->cnj", rows, unit)  # H r
        on_diagonal = torch.einsum("cnj,nj->cn", products, rows).square().sum(0)
        return on_diagonal / products.square().sum((0, 2)).clamp_min(torch.finfo(unit.dtype).tiny)

    return compared("diagonal", energies(torch.eye(hessians.shape[-1])), energies(random))


def matched(a: Directions, b: Directions) -> Tensor:
    """Match the directions of `a` and `b` one to one so that the sum of |cosine| is largest.

    Returns the |cosine| of each direction of `a` with its match: (num of a,); 0 for a direction without a match.
    Directions that act on different layers are not matched. Raises InputError if the dimensions differ.
    """
    if a.dim != b.dim:
        raise InputError(f"directions of {a.dim} and {b.dim} dimensions cannot be compared: give runs with equal ones")
    same = torch.tensor([[one == other for other in b.layers] for one in a.layers])
    cosines = (a.vectors.double() @ b.vectors.double().mT).abs() * same
    rows, columns = linear_sum_assignment(-cosines.numpy())
    cosine = torch.zeros(len(a), dtype=torch.double)
    cosine[rows] = cosines[rows, columns]
    return cosine


def agreement(directions: Directions, others: Sequence[Directions], seed: int = 0) -> Signal:
    """Compute the signal `agreement` with other runs; chance is the value for random bases, matched in the same way."""
    values = torch.stack([matched(directions, other) for other in others]).mean(0)
    used = int((directions.vectors != 0).any(0).sum())
    random = random_matches(used, len(directions), max(1, CHANCES // len(directions)), seed)
    return compared("agreement", values.float(), random.flatten())


def random_matches(size: int, rows: int, count: int, seed: int = 0) -> Tensor:
    """Return the |cosine| of `rows` directions with their matches in random bases of R^size: (count, rows)."""
    draws = []
    for number in range(count):
        turned = torch.linalg.qr(normal(size, size, stream(seed, f"random basis {number}")))[0].abs().double()
        cosines = turned[:rows]
        draws.append(cosines[linear_sum_assignment(-cosines.numpy())])
    return torch.stack(draws)


def short_list(signals: Sequence[Signal], most: int) -> list[int]:
    """Return the numbers of the directions that stand out, at most `most`, best first.

    A direction stands out if one of its signals is clear of chance, so far that only 5 % of random directions would
    have any such signal. Directions that are off are left out. Raises InputError without signals.
    """
    order = ordered(signals)
    chosen = torch.stack([signal.clear(len(signals)) for signal in signals]).any(0)
    for signal in signals:
        if signal.name == "activeness":
            chosen &= _on(signal)
    return [index for index in order if chosen[index]][:most]


def ordered(signals: Sequence[Signal]) -> list[int]:
    """Return the numbers of all directions, best first.

    They are sorted by the geometric mean of the signals that are scored, each in multiples of its chance. Directions
    that are off (activeness below 5 % of the largest) come last. Raises InputError without signals.
    """
    scored = [signal for signal in signals if signal.scored]
    if not scored:
        raise InputError("nothing to rank by: give the generator, or other runs to compare with")
    tiny = torch.finfo(torch.float).tiny
    multiples = torch.stack([signal.values.double() / max(signal.chance, tiny) for signal in scored])
    score = multiples.clamp(LEAST, 1 / LEAST).log().mean(0)
    for signal in scored:
        if signal.name == "activeness":
            score[~_on(signal)] -= OFF
    return score.argsort(descending=True, stable=True).tolist()


def _on(activeness: Signal) -> Tensor:
    return activeness.values > ACTIVE * activeness.values.max()
