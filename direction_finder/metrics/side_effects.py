"""Side effects: how much a direction moves what the other directions move, by J^T J along the directions.

In the matrix M = J^T J of a point, M_ij is the inner product of the changes of the image along directions i and j. The
side effects of i are the part of sum_j M_ij^2 that is not M_ii^2, averaged over points. No labels are needed.

On `shapes-64`, the signal follows the purity of directions about as well as activeness and `diagonal` do, and the order
of a ranking is no better with it. So it is shown, and counts for the short list, but not for the order.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from direction_finder.metrics.ranking import Signal, compared


def side_effects(grams: Tensor) -> Tensor:
    """Return the side effects (num,), in [0, 1], of directions along which J^T J is (points, num, num)."""
    energy = grams.square()
    own = energy.diagonal(dim1=-2, dim2=-1) / energy.sum(-1).clamp_min(torch.finfo(energy.dtype).tiny)
    return 1 - own.mean(0)


def separate(grams: Tensor, views: Sequence[Tensor]) -> Signal:
    """Compute the signal `separate`, 1 - side effects; chance is its value in other views (see `grams`)."""
    random = torch.cat([1 - side_effects(view) for view in views])
    return compared("separate", 1 - side_effects(grams), random, scored=False)
