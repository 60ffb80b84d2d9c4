"""Bases that make many symmetric matrices as diagonal as possible.

||Q H Q^T||_F is the same for every orthonormal basis Q, so minimising the off-diagonal energy maximises the diagonal
energy: minimising the Hessian Penalty over directions, averaged over Hessians, is approximate joint diagonalisation.
Matrices are (M, N, N). Bases have directions as rows (N, N), the one with the most diagonal energy first.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from direction_finder.errors import InputError


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


def jacobi(matrices: Tensor, start: Tensor | None = None, *, sweeps: int = 100, tolerance: float = 1e-4) -> Tensor:
    """Compute the joint diagonaliser (N, N) by plane rotations that each maximise the diagonal energy in their plane.

    Cardoso and Souloumiac 1996, "Jacobi angles for simultaneous diagonalization",
    https://doi.org/10.1137/S0895479893259546. Disjoint planes are rotated together (round robin), N - 1 rounds a sweep.
    The loop ends when a sweep raises the diagonal energy by less than the fraction `tolerance`, or after `sweeps`
    sweeps: where no basis is exact, the last thousandths take most of the time and do not help on other matrices.
    start: the basis (N, N) to start from, by default the axes.
    """
    n = matrices.shape[-1]
    basis = torch.eye(n, dtype=torch.float64) if start is None else start.double()
    turned = basis @ matrices.double() @ basis.mT
    if n == 1:
        return basis
    energy = _diagonal_energy(turned)
    for _ in range(sweeps):
        for first, second in _rounds(n):
            rotation = _rotation(turned, first, second)
            turned = rotation @ turned
            turned, basis = turned @ rotation.mT, rotation @ basis
        energy, before = _diagonal_energy(turned), energy
        if energy.sum() - before.sum() <= tolerance * before.sum():
            break
    return basis[energy.argsort(descending=True)]


def _diagonal_energy(matrices: Tensor) -> Tensor:
    return matrices.diagonal(dim1=-2, dim2=-1).square().mean(0)


def _rounds(n: int) -> list[tuple[Tensor, Tensor]]:
    """Return all pairs of range(n), in rounds of disjoint pairs, by the circle method of round-robin tournaments."""
    players = list(range(n + n % 2))
    rounds = []
    for _ in range(len(players) - 1):
        half = len(players) // 2
        pairs = [(a, b) for a, b in zip(players[:half], reversed(players[half:]), strict=True) if max(a, b) < n]
        first, second = zip(*pairs, strict=True)
        rounds.append((torch.tensor(first), torch.tensor(second)))
        players = [players[0], players[-1], *players[1:-1]]
    return rounds


def _rotation(matrices: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return the best rotation in each plane (first[i], second[i]), as one (N, N) matrix."""
    difference = matrices[:, first, first] - matrices[:, second, second]
    double = 2 * matrices[:, first, second]
    diagonal_term = (difference.square() - double.square()).sum(0)
    off_diagonal_term = 2 * (difference * double).sum(0)
    angle = torch.atan2(off_diagonal_term, diagonal_term + torch.hypot(diagonal_term, off_diagonal_term)) / 2
    cosine, sine = angle.cos(), angle.sin()
    rotation = torch.eye(matrices.shape[-1], dtype=matrices.dtype)
    rotation[first, first], rotation[second, second] = cosine, cosine
    rotation[first, second], rotation[second, first] = sine, -sine
    return rotation


def joint(matrices: Tensor) -> Tensor:
    """Return the joint diagonaliser (N, N) by Jacobi rotations, started at the eigenvectors of the sum of squares."""
    return jacobi(matrices, square_eigenvectors(matrices))


def subspace(matrices: Tensor) -> Tensor:
    """Return the eigenvectors of the sum of squares (N, N), with the first fifth jointly diagonalised by Jacobi."""
    basis = square_eigenvectors(matrices)
    top = basis[: max(2, len(basis) // 5)]
    return torch.cat([jacobi(top @ matrices.double() @ top.mT) @ top, basis[len(top) :]])


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
