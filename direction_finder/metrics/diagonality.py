"""D% and D_R: how diagonal the Hessians of a generator's pixels are (Peebles et al. 2020, Sec. 4.5 and Table 2).

For every pixel of every sample, the Hessian in z (or in coordinates along directions) is computed by four-point
differences of step 0.1. As published, D% is how often its largest |entry| lies on the diagonal, and D_R is the mean
over pixels of mean |diagonal entry| / (mean |off-diagonal entry| + 1e-8). A constant pixel counts as diagonal in D%,
and contributes a ratio of rounding errors to D_R. Each therefore has a robust form too: D% over the pixels that bend
(whose Hessian is not almost zero), and the ratio of the sums of both kinds of entries.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.metrics.intervals import Value, ratio
from direction_finder.progress import OnStep
from direction_finder.resumable import Cache, in_parts, uncached

FLAT = 1e-3  # a pixel whose largest |entry| is below this fraction of its image's largest one does not bend


@dataclass(frozen=True)
class Diagonality:
    """D% (as a fraction) and D_R, as published and in their robust forms.

    interactions: |H| averaged over pixels and samples, (dim, dim).
    """

    percent: Value
    ratio: Value
    percent_bending: Value
    ratio_of_sums: Value
    interactions: list[list[float]]


@dataclass(frozen=True)
class PixelHessians:
    """Figures of the Hessian of each pixel of one sample, each shaped as the image.

    They are the largest and the mean |entry| on and off the diagonal, and the exact Hessian Penalty, 2 sum over i != j
    of H_ij^2. interactions: |H| averaged over pixels, (dim, dim).
    """

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
    """Compute `PixelHessians` of f: rows (n, dim) -> (n, ...) at x (dim,) by four-point differences.

    The Hessians of all pixels are computed entry by entry, so that they are never in memory as a whole.
    """
    dim = len(x)
    sums: list[Tensor] = []
    interactions = torch.zeros(dim, dim)
    for part, entries in _entries(f, x, epsilon, max_batch):
        if not sums:
            sums = [torch.zeros_like(entries[0]) for _ in range(5)]
        i, j = part[0]
        off = int(i != j)
        sums[off] = torch.maximum(sums[off], entries.amax(0))
        sums[2 + off] += entries.sum(0)
        sums[4] += 4 * off * entries.square().sum(0)
        for (i, j), value in zip(part, entries.flatten(1).mean(1).tolist(), strict=True):
            interactions[i, j] = interactions[j, i] = value
    top_diagonal, top_off, sum_diagonal, sum_off, penalty = sums
    pairs = dim * (dim - 1) / 2
    return PixelHessians(top_diagonal, top_off, sum_diagonal / dim, sum_off / pairs, penalty, interactions)


@torch.no_grad()
def hessian_at(
    f: Callable[[Tensor], Tensor], x: Tensor, pixel: int, *, epsilon: float = 0.1, max_batch: int = 32
) -> Tensor:
    """Compute |H| (dim, dim) of one pixel, an index into the flattened output, as `pixel_hessians` does."""
    magnitudes = torch.zeros(len(x), len(x))
    for part, entries in _entries(f, x, epsilon, max_batch):
        for (i, j), value in zip(part, entries.flatten(1)[:, pixel].tolist(), strict=True):
            magnitudes[i, j] = magnitudes[j, i] = value
    return magnitudes


def _entries(
    f: Callable[[Tensor], Tensor], x: Tensor, epsilon: float, max_batch: int
) -> Iterator[tuple[list[tuple[int, int]], Tensor]]:
    """Yield batches of pairs i <= j, in which all or none have i = j, with |H_ij| of every pixel: (pairs, ...)."""
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


class HessianSums(NamedTuple):
    """Hold what D% and D_R are computed from.

    sums (samples, 6), float64: see `_summed`. interactions (samples, dim, dim): |H| averaged over pixels.
    """

    sums: Tensor
    interactions: Tensor


def hessian_sums(
    f: Callable[[Tensor, Tensor], Tensor],
    points: Tensor,
    *,
    epsilon: float = 0.1,
    max_batch: int = 32,
    cache: Cache = uncached,
    on_step: OnStep | None = None,
) -> HessianSums:
    """Measure the Hessians of the pixels of f at points (samples, dim), and sum each over its pixels.

    f: called as f(rows (n, dim), numbers (n,) of the samples that the rows belong to). Memory use does not grow with
    the samples, except for dim^2 numbers each. Raises InputError for fewer than two dimensions.
    """
    if points.shape[1] < 2:
        raise InputError(f"{points.shape[1]} dimension: a Hessian without off-diagonal entries; give two or more")

    def take(number: int) -> Tensor:
        pixels = pixel_hessians(
            lambda moved: f(moved, torch.full((len(moved),), number)),
            points[number],
            epsilon=epsilon,
            max_batch=max_batch,
        )
        return torch.cat([_summed(pixels), pixels.interactions.double().flatten()])

    parts = torch.stack(in_parts(len(points), take, "measuring Hessians", "sample", cache=cache, on_step=on_step))
    sums, interactions = parts.split([6, points.shape[1] ** 2], dim=1)
    return HessianSums(sums.contiguous(), interactions.float().unflatten(1, (points.shape[1], -1)))


def diagonality_of(summed: HessianSums, seed: int = 0) -> Diagonality:
    """Compute D% and D_R from sums, with bootstrap intervals over samples."""
    hits, ratios, bending_hits, bending, diagonal_sums, off_sums = summed.sums.T
    ones = torch.ones(len(hits), dtype=torch.double)
    return Diagonality(
        percent=ratio(hits, ones, seed),
        ratio=ratio(ratios, ones, seed),
        percent_bending=ratio(bending_hits, bending, seed),
        ratio_of_sums=ratio(diagonal_sums, off_sums, seed),
        interactions=summed.interactions.double().mean(0).tolist(),
    )


def diagonality(f: Callable[[Tensor, Tensor], Tensor], points: Tensor, *, seed: int = 0, **given: Any) -> Diagonality:
    """Measure D% and D_R of f at points (samples, dim). given: the other arguments of `hessian_sums`."""
    return diagonality_of(hessian_sums(f, points, **given), seed)


def _summed(pixels: PixelHessians) -> Tensor:
    """Return the six sums of one sample that D% and D_R are computed from: (6,), on the CPU."""
    largest = torch.maximum(pixels.top_diagonal, pixels.top_off)
    diagonal = pixels.top_diagonal >= pixels.top_off
    bends = largest > FLAT * largest.max()
    return torch.stack(
        [
            diagonal.double().mean(),
            (pixels.mean_diagonal / (pixels.mean_off + 1e-8)).double().mean(),
            (diagonal & bends).double().sum(),
            bends.double().sum(),
            pixels.mean_diagonal.double().sum(),
            pixels.mean_off.double().sum(),
        ]
    ).cpu()
