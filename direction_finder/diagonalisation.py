"""Bases that make many symmetric matrices as diagonal as possible.

||Q H Q^T||_F is the same for every orthonormal basis Q, so minimising the off-diagonal energy maximises the diagonal
energy: minimising the Hessian Penalty over directions, averaged over Hessians, is approximate joint diagonalisation.
Matrices are (M, N, N). Bases have directions as rows (N, N), the one with the most diagonal energy first.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.rotations import TOLERANCE, raise_energy


def unit_norm(matrices: Tensor) -> Tensor:
    """Divide every matrix by its Frobenius norm, so that matrices of large norm do not dominate; those of 0 stay 0.

    Raises InputError if all are 0: nothing that was measured depends on any direction.
    """
    norms = matrices.norm(dim=(-2, -1), keepdim=True)
    if not norms.any():
        raise InputError(
            "no direction changes anything at any point: the images (or activations) are constant, as those of a "
            "generator that has collapsed; give another generator, `at` or layer"
        )
    return matrices / norms.where(norms > 0, 1)


def mean_eigenvectors(matrices: Tensor) -> Tensor:
    """Return the eigenvectors of the mean (N, N): the joint diagonaliser if the matrices commute.

    For matrices J^T J, the direction that changes the output most comes first.
    """
    return torch.linalg.eigh(matrices.double().mean(0))[1].flip(1).mT


def square_eigenvectors(matrices: Tensor) -> Tensor:
    """Return the eigenvectors of the sum of squares (N, N), in which matrices of opposite sign do not cancel."""
    doubles = matrices.double()
    return torch.linalg.eigh((doubles @ doubles).mean(0))[1].flip(1).mT


def joint(matrices: Tensor, *, tolerance: float = TOLERANCE) -> Tensor:
    """Return the joint diagonaliser (N, N), searched for from the eigenvectors of the sum of squares."""
    basis = raise_energy(matrices, square_eigenvectors(matrices), tolerance=tolerance)
    energy = (basis @ matrices.double() @ basis.mT).diagonal(dim1=-2, dim2=-1).square().mean(0)
    return basis[energy.argsort(descending=True)]


def subspace(matrices: Tensor) -> Tensor:
    """Return the eigenvectors of the sum of squares (N, N), with the first fifth jointly diagonalised."""
    basis = square_eigenvectors(matrices)
    top = basis[: max(2, len(basis) // 5)]
    return torch.cat([joint(top @ matrices.double() @ top.mT) @ top, basis[len(top) :]])


SOLVERS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": mean_eigenvectors,
    "squares": square_eigenvectors,
    "subspace": subspace,
    "joint": joint,
}


def solve(name: str, matrices: Tensor, *, weight: str = "unit") -> Tensor:
    """Return the basis (N, N) that one of `SOLVERS` computes.

    weight: "unit" divides every matrix by its norm, "raw" does not. Raises InputError for an unknown solver.
    """
    if name not in SOLVERS:
        raise InputError(f"unknown solver {name!r}: choose from {', '.join(SOLVERS)}")
    return SOLVERS[name](unit_norm(matrices) if weight == "unit" else matrices)
