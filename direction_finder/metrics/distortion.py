"""Distortion: how much the best basis turns from point to point, and so whether one fixed basis can exist.

The best basis of a point has the eigenvectors of its J^T J as rows, each matched with one of the fixed directions so
that the sum of |cosines| is largest. The idea is that of Choi et al. 2022
(https://arxiv.org/abs/2205.13182), who measure distances between the tangent spaces of a mapping network; here the
space of latents is fixed, and bases are compared instead of subspaces.

On `shapes-64`, the signal follows the purity of directions better than others do, but the order of a ranking is no
better with it. So it is shown, and counts for the short list, but not for the order.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from direction_finder.metrics.ranking import Signal, compared
from direction_finder.randomness import normal, stream

FLOOR = 1e-5  # eigenvalues of matrices of norm 1 that are closer are not told apart: rounding would make axes of them


class Distortion(NamedTuple):
    """Hold by how many degrees the best basis turns, in [0, 90], and by how many where no direction is special."""

    turn: float
    random: float

    def __str__(self) -> str:
        return (
            f"distortion: the best basis of a point is turned by {self.turn:.0f} degrees from these directions "
            f"({self.random:.0f} without any common basis)"
        )


def cosines(grams: Tensor) -> Tensor:
    """Return the |cosine| of every direction with the matching row of each point's best basis: (points, num).

    grams: J^T J in the coordinates along the directions, (points, num, num).
    """
    points, num, _ = grams.shape
    noise = FLOOR * normal(points * num, num, stream(0, "floor")).double().unflatten(0, (points, num))
    matched = []
    eigenvectors = torch.linalg.eigh(grams.double() + noise + noise.mT).eigenvectors
    for candidates in eigenvectors.abs():
        rows, columns = linear_sum_assignment(-candidates.numpy())
        matched.append(candidates[rows, columns])
    return torch.stack(matched).clamp(max=1)


def steady(grams: Tensor, views: Sequence[Tensor]) -> Signal:
    """Compute the signal `steady`: the mean |cosine| over points; chance is that in other views (see `grams`)."""
    random = torch.cat([cosines(view).mean(0) for view in views])
    return compared("steady", cosines(grams).mean(0), random, scored=False)


def distortion(grams: Tensor, views: Sequence[Tensor]) -> Distortion:
    """Return how far the best basis turns; directions along which J^T J has more energy count more."""
    return Distortion(_turn(grams), sum(map(_turn, views)) / len(views))


def _turn(grams: Tensor) -> float:
    energy = grams.diagonal(dim1=-2, dim2=-1).double().square().sum(0)
    turns = torch.rad2deg(cosines(grams).acos()).mean(0)
    return float((turns * energy).sum() / energy.sum().clamp_min(torch.finfo(energy.dtype).tiny))
