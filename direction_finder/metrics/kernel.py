"""Kernel distance between two sets of images in the feature space of a network.

This is the unbiased squared MMD with the kernel (x.y / dim + 1)^3 (Binkowski et al. 2018,
https://arxiv.org/abs/1801.01401). It is called KID only with the features of Inception.
"""

import numpy as np
import torch
from torch import Tensor

from direction_finder.errors import MissingExtra
from direction_finder.metrics.intervals import Value

SUBSETS, SUBSET_SIZE = 100, 1000


def kernel_distance(a: Tensor, b: Tensor, *, seed: int = 0, subsets: int = SUBSETS, size: int = SUBSET_SIZE) -> Value:
    """Return the mean distance over random subsets of features (n, dim) and (m, dim), and the range of the middle 95 %.

    size: rows in a subset, at most n and m. Raises MissingExtra if torch-fidelity is not installed.
    """
    try:
        from torch_fidelity.metric_kid import kernel_mmd
    except ImportError as error:
        raise MissingExtra("a kernel distance", "measure") from error
    first, second = (features.double().cpu().numpy() for features in (a, b))
    rng = np.random.default_rng(seed)
    size = min(size, len(first), len(second))
    values = torch.tensor(
        [
            kernel_mmd(*(rows[rng.choice(len(rows), size, replace=False)] for rows in (first, second)))
            for _ in range(subsets)
        ]
    )
    return Value(values.mean().item(), *values.quantile(torch.tensor((0.025, 0.975), dtype=values.dtype)).tolist())
