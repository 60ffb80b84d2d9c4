"""Perceptual path length (Karras et al. 2019, https://arxiv.org/abs/1812.04948), of a generator or a direction.

A path length is the distance of two images one step of `EPSILON` apart, divided by EPSILON^2. The step goes along the
path between two random z, or along a direction. With LPIPS as the distance it is PPL. The loop of torch-fidelity is not
used: its version 0.4 fails with numpy 2.4, and draws z only from a normal distribution.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from direction_finder.directions import Direction
from direction_finder.edits import move, spread
from direction_finder.generators import Generator
from direction_finder.metrics.features import Similarity
from direction_finder.metrics.intervals import Value, mean
from direction_finder.metrics.samples import DEFAULT, Sampling
from direction_finder.progress import OnStep
from direction_finder.randomness import stream
from direction_finder.resumable import Cache, in_parts, uncached

EPSILON = 1e-4
KEPT = (1, 99)  # only lengths between these percentiles are averaged


def slerp(a: Tensor, b: Tensor, t: Tensor, unit: bool) -> Tensor:
    """Return the points (n, dim) on the arcs from a to b, (n, dim) each, at t (n, 1).

    unit: the points have length 1; otherwise their length is interpolated linearly from |a| to |b|.
    """
    first, second = normalize(a), normalize(b)
    cosine = (first * second).sum(-1, keepdim=True)
    angle = t * cosine.clamp(-1, 1).acos()
    across = normalize(second - cosine * first)
    turned = normalize(first * angle.cos() + across * angle.sin())
    return turned if unit else turned * torch.lerp(a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True), t)


def trimmed_mean(lengths: Tensor, seed: int = 0) -> Value:
    """Return the mean of lengths (n,), with its interval, without those outside the 1st to 99th percentile."""
    values = lengths.double().cpu()
    low = np.percentile(values, KEPT[0], method="lower")
    high = np.percentile(values, KEPT[1], method="higher")
    return mean(values[(values >= low) & (values <= high)], seed)


@torch.no_grad()
def path_lengths(
    generator: Generator,
    similarity: Similarity,
    sampling: Sampling = DEFAULT,
    *,
    samples: int,
    at: str = "end",
    cache: Cache = uncached,
    on_step: OnStep | None = None,
) -> Tensor:
    """Measure the lengths of `samples` paths between random z: (samples,).

    at: where on the path a step lies: "end" for its beginning, as in the paper, or "full" for a random place. If the
    generator normalises z, paths lie on the unit sphere.
    """
    starts, classes = sampling.draw(generator, samples)
    samples = len(starts)
    ends = generator.sample(samples, stream(sampling.seed, "ends of paths")).double()
    starts = starts[:, 0].double()
    t = torch.rand(samples, 1, generator=stream(sampling.seed, "paths"), dtype=torch.double).to(starts) * (at == "full")
    pairs = [spread(slerp(starts, ends, t + e, generator.normalises), generator.num_layers) for e in (0, EPSILON)]
    return _lengths(generator, similarity, pairs, classes, sampling.max_batch, cache, on_step)


@torch.no_grad()
def lengths_along(
    generator: Generator,
    similarity: Similarity,
    direction: Direction,
    sampling: Sampling = DEFAULT,
    *,
    samples: int,
    cache: Cache = uncached,
    on_step: OnStep | None = None,
) -> Tensor:
    """Measure the path lengths of steps along a direction from `samples` random z: (samples,)."""
    latents, classes = sampling.draw(generator, samples)
    latents = latents.double()
    pairs = [latents, move(latents, direction, EPSILON)]
    return _lengths(generator, similarity, pairs, classes, sampling.max_batch, cache, on_step)


def _lengths(
    generator: Generator,
    similarity: Similarity,
    pairs: list[Tensor],
    classes: Tensor,
    max_batch: int,
    cache: Cache,
    on_step: OnStep | None,
) -> Tensor:
    parts = list(zip(*(rows.split(max(1, max_batch // 2)) for rows in (*pairs, classes)), strict=True))

    def take(number: int) -> Tensor:
        starts, ends, labels = parts[number]
        before, after = generator(torch.cat([starts, ends]).float(), labels.repeat(2)).chunk(2)
        return similarity(before, after).double().cpu() / EPSILON**2

    return torch.cat(in_parts(len(parts), take, "measuring path lengths", "batch", cache=cache, on_step=on_step))
