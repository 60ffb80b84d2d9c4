"""Frechet distance between two sets of pictures, as Gaussians in the features of a network.

Heusel et al. 2017, https://arxiv.org/abs/1706.08500. It is FID only with Inception's features.
"""

import torch
from torch import Tensor

ROWS = 4096  # turned to float64 at a time


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """|mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) of features (n, dim) and (m, dim)."""
    (mean, first), (other_mean, second) = (_gaussian(each) for each in (a, b))
    # the trace of the root is the nuclear norm of the product of the two roots
    cross = torch.linalg.matrix_norm(first @ second.mT, "nuc")
    return ((mean - other_mean).square().sum() + first.square().sum() + second.square().sum() - 2 * cross).item()


def _gaussian(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of rows (n, dim), and a root R of their covariance, R^T R: the triangle of the centred, scaled rows."""
    mean = torch.stack([part.double().sum(0) for part in x.split(ROWS)]).sum(0) / len(x)
    root = mean.new_empty(0, x.shape[1])
    for part in x.split(ROWS):
        root = torch.linalg.qr(torch.cat([root, part.double() - mean]), mode="r").R
    return mean, root / (len(x) - 1) ** 0.5
