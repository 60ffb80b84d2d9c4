"""A generator whose right answer is known: G(z) = B sin(R z) has a diagonal Hessian along the rows of R only."""

import torch
from scipy.optimize import linear_sum_assignment
from torch import nn

from direction_finder.generators import WrappedModule


class Planted(nn.Module):
    def __init__(self, n: int, seed: int):
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        self.register_buffer("rows", torch.linalg.qr(torch.randn(n, n, generator=rng))[0])
        self.register_buffer("mixing", torch.randn(n, 48, generator=rng))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return ((z @ self.rows.mT).sin() @ self.mixing).view(-1, 3, 4, 4)


def planted(n: int = 8, seed: int = 0) -> WrappedModule:
    return WrappedModule(Planted(n, seed), n, name="planted")


def worst_match(found: torch.Tensor, rows: torch.Tensor) -> float:
    """The smallest |cos| between two bases under the best one-to-one matching: 1 if equal up to order and sign."""
    cosines = (found @ rows.mT).abs().numpy()
    matched = linear_sum_assignment(-cosines)
    return float(cosines[matched].min())
