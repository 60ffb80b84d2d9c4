"""Frechet distance between two sets of images, modelled as Gaussians in the feature space of a network.

Heusel et al. 2017, https://arxiv.org/abs/1706.08500. It is called FID only with the features of Inception.
"""

import torch
from torch import Tensor

ROWS = 4096  # converted to float64 at a time


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Return |mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) for features (n, dim) and (m, dim)."""
    (mean, first), (other_mean, second) = (_gaussian(features) for features in (a, b))
    # the trace of the root is the nuclear norm of the product of the two roots
    cross = torch.linalg.matrix_norm(first @ second.mT, "nuc")
    return ((mean - other_mean).square().sum() + first.square().sum() + second.square().sum() - 2 * cross).item()


def _gaussian(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of rows (n, dim), and a root R of their covariance R^T R: the R factor of the centred rows."""
    mean = torch.stack([part.double().sum(0) for part in x.split(ROWS)]).sum(0) / len(x)
    root = mean.new_empty(0, x.shape[1])
    for part in x.split(ROWS):
        root = torch.linalg.qr(torch.cat([root, part.double() - mean]), mode="r").R
    return mean, root / (len(x) - 1) ** 0.5
