"""Sliced Wasserstein distance of patches, level by level of a Laplacian pyramid.

Karras et al. 2018, Sec. 5 and Appendix A (https://arxiv.org/abs/1710.10196): patches of 7 x 7 pixels, 64 an image,
their channels normalised over all patches of a set; projected on random lines, sorted, and compared. Usually given
times 1000.
"""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from direction_finder.errors import InputError
from direction_finder.randomness import normal, stream

PATCH, PATCHES, LINES = 7, 64, 147
SMALLEST = 16  # pixels of a side at the lowest level
KERNEL = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16


def sliced_distances(a: Tensor, b: Tensor, *, seed: int = 0) -> dict[int, float]:
    """Return the distance of two sets of images (n, C, H, H) at each level, by its resolution, times 1000.

    Raises InputError if the sets differ in size, or if images are smaller than 16 pixels.
    """
    if a.shape != b.shape or a.shape[-1] < SMALLEST:
        raise InputError(f"images {tuple(a.shape)} and {tuple(b.shape)}: expected two sets of one size, from 16 pixels")
    levels = zip(_pyramid(a), _pyramid(b), strict=True)
    return {first.shape[-1]: _distance(first, second, seed) for first, second in levels}


def _pyramid(images: Tensor) -> list[Tensor]:
    """Return what each level of resolution adds to the next lower one, and the lowest level."""
    levels = []
    while images.shape[-1] // 2 >= SMALLEST and images.shape[-1] % 2 == 0:
        smaller = _blurred(images)[..., ::2, ::2]
        levels.append(images - _blurred(interpolate(smaller, scale_factor=2.0)))
        images = smaller
    return [*levels, images]


def _blurred(images: Tensor) -> Tensor:
    channels = images.shape[1]
    kernel = torch.outer(KERNEL, KERNEL).to(images).expand(channels, 1, -1, -1)
    return conv2d(pad(images, (2, 2, 2, 2), mode="reflect"), kernel, groups=channels)


def _distance(a: Tensor, b: Tensor, seed: int) -> float:
    lines = normal(LINES, a.shape[1] * PATCH**2, stream(seed, "lines"))
    lines = (lines / lines.norm(dim=1, keepdim=True)).mT.to(a)
    first, second = (_patches(images, seed, side) @ lines for side, images in enumerate((a, b)))
    return 1000 * (first.sort(0).values - second.sort(0).values).abs().mean().item()


def _patches(images: Tensor, seed: int, side: int) -> Tensor:
    """Return random patches of each image, normalised channel by channel, (n * PATCHES, C * 49)."""
    n, _, height, _ = images.shape
    rng = stream(seed, f"patches {side}")
    places = torch.randint((height - PATCH + 1) ** 2, (n, PATCHES), generator=rng)
    across = torch.arange(PATCH)
    rows = (places // (height - PATCH + 1))[..., None, None] + across[:, None]
    columns = (places % (height - PATCH + 1))[..., None, None] + across
    picked = images.movedim(1, -1)[torch.arange(n)[:, None, None, None], rows, columns]  # (n, PATCHES, 7, 7, C)
    picked = picked.flatten(0, 1).movedim(-1, 1)
    deviation = picked.std((0, 2, 3), keepdim=True).clamp(min=1e-8)
    return ((picked - picked.mean((0, 2, 3), keepdim=True)) / deviation).flatten(1)
