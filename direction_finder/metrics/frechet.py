"""Frechet distance between two sets of pictures, as Gaussians in the features of a network.

Heusel et al. 2017, https://arxiv.org/abs/1706.08500. It is FID only with Inception's features.
"""

import torch
from torch import Tensor


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """|mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) of features (n, dim) and (m, dim)."""
    a, b = a.double(), b.double()
    shift = (a.mean(0) - b.mean(0)).square().sum()
    # the trace of the root is the nuclear norm of the product of the two centred, scaled sets, or of their triangles
    centred = ((each - each.mean(0)) / (len(each) - 1) ** 0.5 for each in (a, b))
    first, second = (torch.linalg.qr(each, mode="r").R for each in centred)
    cross = torch.linalg.matrix_norm(first @ second.mT, "nuc")
    return (shift + first.square().sum() + second.square().sum() - 2 * cross).item()
