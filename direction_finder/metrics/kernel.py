"""Kernel distance between two sets of pictures in the features of a network: the unbiased squared MMD of the kernel
(x.y / dim + 1)^3 (Binkowski et al. 2018, https://arxiv.org/abs/1801.01401). It is KID only with Inception's features.
"""

import numpy as np
import torch
from torch import Tensor

from direction_finder.errors import MissingExtra
from direction_finder.metrics.intervals import Value

SUBSETS, SUBSET_SIZE = 100, 1000


def kernel_distance(a: Tensor, b: Tensor, *, seed: int = 0, subsets: int = SUBSETS, size: int = SUBSET_SIZE) -> Value:
    """Mean over random subsets of features (n, dim) and (m, dim), and the range of the middle 95 % of them.

    size: of a subset; at most n and m. Raises MissingExtra without torch-fidelity.
    """
    try:
        from torch_fidelity.metric_kid import kernel_mmd
    except ImportError as error:
        raise MissingExtra("a kernel distance", "measure") from error
    first, second = (each.double().cpu().numpy() for each in (a, b))
    rng = np.random.default_rng(seed)
    size = min(size, len(first), len(second))
    found = torch.tensor(
        [
            kernel_mmd(*(each[rng.choice(len(each), size, replace=False)] for each in (first, second)))
            for _ in range(subsets)
        ]
    )
    return Value(found.mean().item(), *found.quantile(torch.tensor((0.025, 0.975), dtype=found.dtype)).tolist())
