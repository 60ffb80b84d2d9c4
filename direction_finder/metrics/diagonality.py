"""D% and D_R: how diagonal the Hessians of a generator's pixels are (Peebles et al. 2020, Sec. 4.3 and Table 2).

For every pixel of every sample the Hessian in z (or in coordinates along directions) is taken by four-point differences
of step 0.1. Published: D% is how often its largest |entry| lies on the diagonal, D_R the mean over pixels of mean
|diagonal entry| / (mean |off-diagonal entry| + 1e-8). A pixel that nothing moves counts as diagonal in the one and
has a ratio of rounding errors in the other; so beside each stands a robust form: only pixels that bend count, and the
ratio is one of sums.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.metrics.intervals import Value, ratio
from direction_finder.progress import OnStep, Progress

FLAT = 1e-3  # a pixel whose largest |entry| is below this part of its picture's largest one does not bend


@dataclass(frozen=True)
class Diagonality:
    """D% (as a fraction) and D_R, published and robust."""

    percent: Value
    ratio: Value
    percent_bending: Value
    ratio_of_sums: Value


@dataclass(frozen=True)
class PixelHessians:
    """Of each pixel of one sample: the largest and the mean |entry| on and off the diagonal of its Hessian."""

    top_diagonal: Tensor
    top_off: Tensor
    mean_diagonal: Tensor
    mean_off: Tensor


@torch.no_grad()
def pixel_hessians(
    f: Callable[[Tensor], Tensor], x: Tensor, *, epsilon: float = 0.1, max_batch: int = 32
) -> PixelHessians:
    """Four-point differences of f: rows (n, dim) -> (n, ...) at x (dim,), one entry of all Hessians at a time."""
    dim = len(x)
    steps = epsilon * torch.eye(dim).to(x)
    pairs = [(i, j) for i in range(dim) for j in range(i, dim)]
    signs = ((1, 1), (1, -1), (-1, 1), (-1, -1))
    found = None
    each = max(1, max_batch // 4)
    for first in range(0, len(pairs), each):
        part = pairs[first : first + each]
        rows = torch.stack([x + a * steps[i] + b * steps[j] for i, j in part for a, b in signs])
        corners = f(rows).unflatten(0, (len(part), 4))
        entries = (corners[:, 0] - corners[:, 1] - corners[:, 2] + corners[:, 3]).abs() / (4 * epsilon**2)
        if found is None:
            found = [torch.zeros_like(entries[0]) for _ in range(4)]
        on = torch.tensor([i == j for i, j in part], device=x.device)
        for place, chosen in ((0, entries[on]), (1, entries[~on])):
            if len(chosen):
                found[place] = torch.maximum(found[place], chosen.amax(0))
                found[2 + place] += chosen.sum(0)
    top_diagonal, top_off, sum_diagonal, sum_off = found
    return PixelHessians(top_diagonal, top_off, sum_diagonal / dim, sum_off / (len(pairs) - dim))


def diagonality(
    f: Callable[[Tensor, Tensor], Tensor],
    points: Tensor,
    *,
    epsilon: float = 0.1,
    max_batch: int = 32,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> Diagonality:
    """D% and D_R of f at points (samples, dim): f(rows (n, dim), numbers (n,) of the samples they belong to).

    Memory does not grow with the samples. Intervals are over samples. Raises InputError for fewer than two dimensions.
    """
    if points.shape[1] < 2:
        raise InputError(f"{points.shape[1]} dimension: a Hessian needs two to have an off-diagonal")
    rows = []
    for number, x in enumerate(points):
        of = pixel_hessians(
            lambda moved, n=number: f(moved, torch.full((len(moved),), n)), x, epsilon=epsilon, max_batch=max_batch
        )
        largest = torch.maximum(of.top_diagonal, of.top_off)
        diagonal = of.top_diagonal >= of.top_off
        bends = largest > FLAT * largest.max()
        rows.append(
            torch.stack(
                [
                    diagonal.double().mean(),
                    (of.mean_diagonal / (of.mean_off + 1e-8)).double().mean(),
                    (diagonal & bends).double().sum(),
                    bends.double().sum(),
                    of.mean_diagonal.double().sum(),
                    of.mean_off.double().sum(),
                ]
            ).cpu()
        )
        if on_step:
            on_step(Progress(number + 1, len(points), "measuring Hessians"))
    hits, ratios, bending_hits, bending, on, off = torch.stack(rows).T
    ones = torch.ones(len(points), dtype=torch.double)
    return Diagonality(
        ratio(hits, ones, seed), ratio(ratios, ones, seed), ratio(bending_hits, bending, seed), ratio(on, off, seed)
    )
