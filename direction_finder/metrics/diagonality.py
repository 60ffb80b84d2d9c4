"""D% and D_R: how diagonal the Hessians of a generator's pixels are (Peebles et al. 2020, Sec. 4.3 and Table 2).

For every pixel of every sample the Hessian in z (or in coordinates along directions) is taken by four-point differences
of step 0.1. Published: D% is how often its largest |entry| lies on the diagonal, D_R the mean over pixels of mean
|diagonal entry| / (mean |off-diagonal entry| + 1e-8). A pixel that nothing moves counts as diagonal in the one and
has a ratio of rounding errors in the other; so beside each stands a robust form: only pixels that bend count, and the
ratio is one of sums.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.metrics.intervals import Value, ratio
from direction_finder.metrics.parts import Keep, anew, in_parts
from direction_finder.progress import OnStep

FLAT = 1e-3  # a pixel whose largest |entry| is below this part of its picture's largest one does not bend


@dataclass(frozen=True)
class Diagonality:
    """D% (as a fraction) and D_R, published and robust; |H| averaged over pixels and samples, (dim, dim)."""

    percent: Value
    ratio: Value
    percent_bending: Value
    ratio_of_sums: Value
    interactions: list[list[float]]


@dataclass(frozen=True)
class PixelHessians:
    """Of each pixel of one sample: the largest and the mean |entry| on and off the diagonal of its Hessian; the Hessian
    Penalty, which is 2 sum over i != j of H_ij^2 exactly. interactions: |H| averaged over pixels, (dim, dim)."""

    top_diagonal: Tensor
    top_off: Tensor
    mean_diagonal: Tensor
    mean_off: Tensor
    penalty: Tensor
    interactions: Tensor


@torch.no_grad()
def pixel_hessians(
    f: Callable[[Tensor], Tensor], x: Tensor, *, epsilon: float = 0.1, max_batch: int = 32
) -> PixelHessians:
    """Four-point differences of f: rows (n, dim) -> (n, ...) at x (dim,), one entry of all Hessians at a time."""
    dim = len(x)
    found: list[Tensor] = []
    interactions = torch.zeros(dim, dim)
    for part, entries in _entries(f, x, epsilon, max_batch):
        if not found:
            found = [torch.zeros_like(entries[0]) for _ in range(5)]
        i, j = part[0]
        off = int(i != j)
        found[off] = torch.maximum(found[off], entries.amax(0))
        found[2 + off] += entries.sum(0)
        found[4] += 4 * off * entries.square().sum(0)
        for (i, j), value in zip(part, entries.flatten(1).mean(1).tolist(), strict=True):
            interactions[i, j] = interactions[j, i] = value
    top_diagonal, top_off, sum_diagonal, sum_off, penalty = found
    pairs = dim * (dim - 1) / 2
    return PixelHessians(top_diagonal, top_off, sum_diagonal / dim, sum_off / pairs, penalty, interactions)


@torch.no_grad()
def hessian_at(
    f: Callable[[Tensor], Tensor], x: Tensor, pixel: int, *, epsilon: float = 0.1, max_batch: int = 32
) -> Tensor:
    """|H| (dim, dim) of one pixel, counted in the flattened output, as in `pixel_hessians`."""
    found = torch.zeros(len(x), len(x))
    for part, entries in _entries(f, x, epsilon, max_batch):
        for (i, j), value in zip(part, entries.flatten(1)[:, pixel].tolist(), strict=True):
            found[i, j] = found[j, i] = value
    return found


def _entries(
    f: Callable[[Tensor], Tensor], x: Tensor, epsilon: float, max_batch: int
) -> Iterator[tuple[list[tuple[int, int]], Tensor]]:
    """Some pairs i <= j at a time, all i = j or none, and |H_ij| of every pixel: (pairs, ...)."""
    steps = epsilon * torch.eye(len(x)).to(x)
    centre = f(x[None])
    for numbers in torch.arange(len(x)).split(max(1, max_batch // 2)):
        ahead, behind = f(torch.cat([x + 2 * steps[numbers], x - 2 * steps[numbers]])).chunk(2)
        yield [(i, i) for i in numbers.tolist()], (ahead - 2 * centre + behind).abs() / (4 * epsilon**2)
    signs = ((1, 1), (1, -1), (-1, 1), (-1, -1))
    for part in torch.combinations(torch.arange(len(x))).split(max(1, max_batch // 4)):
        rows = torch.stack([x + a * steps[i] + b * steps[j] for i, j in part for a, b in signs])
        corners = f(rows).unflatten(0, (len(part), 4))
        yield part.tolist(), (corners[:, 0] - corners[:, 1] - corners[:, 2] + corners[:, 3]).abs() / (4 * epsilon**2)


def diagonality(
    f: Callable[[Tensor, Tensor], Tensor],
    points: Tensor,
    *,
    epsilon: float = 0.1,
    max_batch: int = 32,
    seed: int = 0,
    keep: Keep = anew,
    on_step: OnStep | None = None,
) -> Diagonality:
    """D% and D_R of f at points (samples, dim): f(rows (n, dim), numbers (n,) of the samples they belong to).

    Memory does not grow with the samples. Intervals are over samples. Raises InputError for fewer than two dimensions.
    """
    if points.shape[1] < 2:
        raise InputError(f"{points.shape[1]} dimension: a Hessian needs two to have an off-diagonal")

    def take(number: int) -> Tensor:
        of = pixel_hessians(
            lambda moved: f(moved, torch.full((len(moved),), number)),
            points[number],
            epsilon=epsilon,
            max_batch=max_batch,
        )
        return torch.cat([_summed(of), of.interactions.double().flatten()])

    summed = in_parts(len(points), take, "measuring Hessians", "sample", keep=keep, on_step=on_step)
    rows, interactions = torch.stack(summed).split([6, points.shape[1] ** 2], dim=1)
    hits, ratios, bending_hits, bending, on, off = rows.T
    ones = torch.ones(len(points), dtype=torch.double)
    return Diagonality(
        percent=ratio(hits, ones, seed),
        ratio=ratio(ratios, ones, seed),
        percent_bending=ratio(bending_hits, bending, seed),
        ratio_of_sums=ratio(on, off, seed),
        interactions=interactions.mean(0).unflatten(0, (points.shape[1], -1)).tolist(),
    )


def _summed(of: PixelHessians) -> Tensor:
    """What D% and D_R need of one sample: (6,), on the CPU."""
    largest = torch.maximum(of.top_diagonal, of.top_off)
    diagonal = of.top_diagonal >= of.top_off
    bends = largest > FLAT * largest.max()
    return torch.stack(
        [
            diagonal.double().mean(),
            (of.mean_diagonal / (of.mean_off + 1e-8)).double().mean(),
            (diagonal & bends).double().sum(),
            bends.double().sum(),
            of.mean_diagonal.double().sum(),
            of.mean_off.double().sum(),
        ]
    ).cpu()
