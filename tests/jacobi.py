"""Joint diagonalisation by Jacobi rotations: slow, and what the solver is tested against."""

import torch
from torch import Tensor


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
