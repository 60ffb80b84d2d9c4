"""Bases that make many symmetric matrices as diagonal as possible.

For an orthonormal basis Q, ||Q H Q^T||_F does not change, so the least off-diagonal energy is the most diagonal energy:
the Hessian Penalty of a direction matrix, averaged over Hessians, is approximate joint diagonalisation.
Matrices are (M, N, N); bases have directions as rows (N, N), the one with the most diagonal energy first.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from direction_finder.errors import InputError


def unit_norm(matrices: Tensor) -> Tensor:
    """Every matrix divided by its Frobenius norm, so that loud ones do not drown the rest."""
    return matrices / matrices.norm(dim=(-2, -1), keepdim=True)


def mean_eigenvectors(matrices: Tensor) -> Tensor:
    """The eigenvectors of the mean: the joint diagonaliser if the matrices commute. For J^T J, loudest first."""
    return torch.linalg.eigh(matrices.double().mean(0))[1].flip(1).mT


def square_eigenvectors(matrices: Tensor) -> Tensor:
    """The eigenvectors of the sum of squares: as the mean's, but matrices of opposite sign do not cancel."""
    doubles = matrices.double()
    return torch.linalg.eigh((doubles @ doubles).mean(0))[1].flip(1).mT


def jacobi(matrices: Tensor, start: Tensor | None = None, *, sweeps: int = 100, tolerance: float = 1e-4) -> Tensor:
    """Joint diagonalisation by plane rotations, each of which maximises the diagonal energy in its plane exactly.

    Cardoso and Souloumiac 1996, "Jacobi angles for simultaneous diagonalization",
    https://doi.org/10.1137/S0895479893259546. Disjoint planes are turned together (round robin): N - 1 rounds a sweep.
    Ends when a sweep raises the diagonal energy by less than `tolerance` of it, or after `sweeps`: where no basis is
    exact, the last thousandths take most of the time and do not show on other matrices.
    start: a basis (N, N) to begin at, by default the axes.
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
            turned, basis = rotation @ turned @ rotation.mT, rotation @ basis
        energy, before = _diagonal_energy(turned), energy
        if energy.sum() - before.sum() <= tolerance * before.sum():
            break
    return basis[energy.argsort(descending=True)]


def _diagonal_energy(matrices: Tensor) -> Tensor:
    return matrices.diagonal(dim1=-2, dim2=-1).square().mean(0)


def _rounds(n: int) -> list[tuple[Tensor, Tensor]]:
    """All pairs of range(n), in rounds of disjoint pairs: one player stays, the others move round the table."""
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
    """The best rotation in each plane (first[i], second[i]), as one (N, N) matrix."""
    difference = matrices[:, first, first] - matrices[:, second, second]
    double = 2 * matrices[:, first, second]
    on = (difference.square() - double.square()).sum(0)
    off = 2 * (difference * double).sum(0)
    angle = torch.atan2(off, on + torch.hypot(on, off)) / 2
    cosine, sine = angle.cos(), angle.sin()
    rotation = torch.eye(matrices.shape[-1], dtype=matrices.dtype)
    rotation[first, first], rotation[second, second] = cosine, cosine
    rotation[first, second], rotation[second, first] = sine, -sine
    return rotation


def joint(matrices: Tensor) -> Tensor:
    """Jacobi rotations begun at the eigenvectors of the sum of squares, which are close already."""
    return jacobi(matrices, square_eigenvectors(matrices))


def subspace(matrices: Tensor) -> Tensor:
    """The eigenvectors of the sum of squares, the first fifth of them rotated among themselves by Jacobi."""
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
    """A basis (N, N) by one of SOLVERS; weight "unit" divides every matrix by its norm, "raw" does not."""
    if name not in SOLVERS:
        raise InputError(f"unknown solver {name!r}: choose from {', '.join(SOLVERS)}")
    return SOLVERS[name](unit_norm(matrices) if weight == "unit" else matrices)
