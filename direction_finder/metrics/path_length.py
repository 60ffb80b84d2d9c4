"""Perceptual path length (Karras et al. 2019, https://arxiv.org/abs/1812.04948), of a generator or a direction.

A step of `EPSILON` along the path between two random z, or along a direction; the distance of the two pictures divided
by EPSILON^2. It is PPL with LPIPS as the distance. torch-fidelity's own loop is not used: its version 0.4 fails with
numpy 2.4, and draws z only from a normal.
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
from direction_finder.metrics.parts import Keep, anew, in_parts
from direction_finder.metrics.samples import DEFAULT, Sampling
from direction_finder.progress import OnStep
from direction_finder.randomness import stream

EPSILON = 1e-4
KEPT = (1, 99)  # percentiles between which distances count


def slerp(a: Tensor, b: Tensor, t: Tensor, unit: bool) -> Tensor:
    """Points (n, dim) on the arcs from a to b at t (n, 1). unit: of length 1; else their length goes evenly from |a| to
    |b|."""
    first, second = normalize(a), normalize(b)
    cosine = (first * second).sum(-1, keepdim=True)
    angle = t * cosine.clamp(-1, 1).acos()
    across = normalize(second - cosine * first)
    turned = normalize(first * angle.cos() + across * angle.sin())
    return turned if unit else turned * torch.lerp(a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True), t)


def trimmed_mean(lengths: Tensor, seed: int = 0) -> Value:
    """The mean of lengths (n,) without those below the 1st and above the 99th percentile."""
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
    keep: Keep = anew,
    on_step: OnStep | None = None,
) -> Tensor:
    """Of `samples` paths between random z: (samples,). Where the generator normalises z, z lies on the unit sphere."""
    starts, classes = sampling.draw(generator, samples)
    samples = len(starts)
    ends = generator.sample(samples, stream(sampling.seed, "ends of paths")).double()
    starts = starts[:, 0].double()
    t = torch.rand(samples, 1, generator=stream(sampling.seed, "paths"), dtype=torch.double).to(starts) * (at == "full")
    pairs = [spread(slerp(starts, ends, t + e, generator.normalises), generator.num_layers) for e in (0, EPSILON)]
    return _lengths(generator, similarity, pairs, classes, sampling.max_batch, keep, on_step)


@torch.no_grad()
def lengths_along(
    generator: Generator,
    similarity: Similarity,
    direction: Direction,
    sampling: Sampling = DEFAULT,
    *,
    samples: int,
    keep: Keep = anew,
    on_step: OnStep | None = None,
) -> Tensor:
    """Of a step along a direction from random z: (samples,)."""
    latents, classes = sampling.draw(generator, samples)
    latents = latents.double()
    pairs = [latents, move(latents, direction, EPSILON)]
    return _lengths(generator, similarity, pairs, classes, sampling.max_batch, keep, on_step)


def _lengths(
    generator: Generator,
    similarity: Similarity,
    pairs: list[Tensor],
    classes: Tensor,
    max_batch: int,
    keep: Keep,
    on_step: OnStep | None,
) -> Tensor:
    parts = list(zip(*(rows.split(max(1, max_batch // 2)) for rows in (*pairs, classes)), strict=True))

    def take(number: int) -> Tensor:
        here, there, of = parts[number]
        near, far = generator(torch.cat([here, there]).float(), of.repeat(2)).chunk(2)
        return similarity(near, far).double().cpu() / EPSILON**2

    return torch.cat(in_parts(len(parts), take, "measuring path lengths", "batch", keep=keep, on_step=on_step))
