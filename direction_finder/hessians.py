"""Hessians and Jacobians of any function by finite differences, and how diagonal a basis makes them.

The differences are secants of length epsilon * sqrt(N), as in the Hessian Penalty, because networks with ReLU have no
curvature over much smaller steps. `f` is called as f(rows, *context_rows), as in `penalty.hessian_penalty`.
"""

from collections.abc import Callable, Sequence

import torch
from scipy.linalg import hadamard
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.randomness import rademacher


def probe_count(num: int) -> int:
    """Return the number of probes for a Hessian of size `num`: the next power of 2, the size of a Hadamard matrix."""
    return 1 << max(0, (num - 1).bit_length())


def orthogonal_probes(num: int, rng: torch.Generator) -> Tensor:
    """Return the rows of a Hadamard matrix, cut to `num` columns with random signs: (P, num), P a power of 2.

    sum_p v_p v_p^T / P is exactly the identity, so sum_p (H v_p) v_p^T / P is exactly H.
    """
    return torch.tensor(hadamard(probe_count(num))[:, :num], dtype=torch.float32) * rademacher((num,), rng)


def hessian(
    f: Callable[..., Tensor],
    x: Tensor,
    projection: Tensor,
    probes: Tensor,
    *,
    epsilon: float = 0.1,
    context: Sequence[Tensor] = (),
    max_batch: int = 32,
) -> Tensor:
    """Compute the Hessian (N, N) of <projection, f> at x (N,), symmetrised.

    H v is the central difference of gradients at x + epsilon v and x - epsilon v. On ReLU networks the raw matrix is
    far from symmetric, because the secants cross many kinks. The cost is 4 P passes of f (a gradient counts as two).
    projection: shaped as one output. probes: `orthogonal_probes` (P, N). context: tensors with one row each.
    """
    gradients = []
    offsets = epsilon * torch.cat([probes, -probes]).to(x)
    for part in offsets.split(max_batch):
        rows = (x + part).requires_grad_(True)
        repeated = [tensor.expand(len(part), *tensor.shape[1:]) for tensor in context]
        value = (f(rows, *repeated) * projection).sum()
        gradients.append(torch.autograd.grad(value, rows)[0])
    plus, minus = torch.cat(gradients).chunk(2)
    raw = ((plus - minus) / (2 * epsilon)).mT @ probes.to(x) / len(probes)
    return (raw + raw.mT) / 2


@torch.no_grad()
def jacobian(
    f: Callable[..., Tensor],
    x: Tensor,
    directions: Tensor,
    *,
    epsilon: float = 0.1,
    context: Sequence[Tensor] = (),
    max_batch: int = 32,
) -> Tensor:
    """Compute J q for every row q of `directions` (num, N): (num, outputs). J is the Jacobian of f at x (N,).

    This takes central differences with a step of epsilon * sqrt(N), the length of the Hessian's secants, and 2 num
    forward passes.
    """
    step = epsilon * len(x) ** 0.5
    changes = []
    for part in directions.to(x).split(max(1, max_batch // 2)):
        rows = torch.cat([x + step * part, x - step * part])
        repeated = [tensor.expand(len(rows), *tensor.shape[1:]) for tensor in context]
        plus, minus = f(rows, *repeated).flatten(1).chunk(2)
        changes.append((plus - minus) / (2 * step))
    return torch.cat(changes)


def jacobian_gram(
    f: Callable[..., Tensor],
    x: Tensor,
    *,
    epsilon: float = 0.1,
    context: Sequence[Tensor] = (),
    max_batch: int = 32,
) -> Tensor:
    """Compute J^T J (N, N) at x (N,) by central differences along every axis; see `jacobian`."""
    rows = jacobian(f, x, torch.eye(len(x)), epsilon=epsilon, context=context, max_batch=max_batch)
    return rows @ rows.mT


def diagonal_share(matrices: Tensor, basis: Tensor) -> Tensor:
    """Return the share of each matrix's energy that a basis puts on the diagonal.

    matrices: symmetric, (M, N, N). basis: rows (N, N). Returns (M,): sum_i (q_i^T H q_i)^2 / ||Q H Q^T||_F^2, which is
    1 if the basis diagonalises H, and 2 / (N + 1) on average for a symmetric matrix of Gaussian entries and any basis.
    The denominator is the same for every orthonormal basis, so the shares of different bases can be compared.
    """
    if basis.shape[0] != basis.shape[1]:
        raise InputError(f"basis of shape {tuple(basis.shape)}: a diagonal share needs a full basis; give a square one")
    rotated = basis @ matrices @ basis.mT
    return rotated.diagonal(dim1=-2, dim2=-1).square().sum(-1) / rotated.square().sum((-2, -1))
