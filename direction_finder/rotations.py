"""Joint diagonalisation by L-BFGS over rotations, at the speed of matrix products.

The diagonal energy sum_k sum_i (Q M_k Q^T)_ii^2 is raised over rotations exp(A) Q, A skew. With T = Q M Q^T, d its
diagonal and D_ij = d_i - d_j, its derivative in the plane of rows i and j is 4 sum_k D_ij T_ij, and its curvature
4 sum_k (4 T_ij^2 - D_ij^2), whose absolute value is the preconditioner. L-BFGS (Nocedal and Wright 2006, Algorithm 7.4)
uses the last ten steps as if they began at the same rotation. A round costs two products of every matrix with an N x N
rotation, where a sweep of Jacobi rotations costs 2 N of them.
"""

from typing import NamedTuple

import torch
from torch import Tensor

MEMORY = 10  # steps that L-BFGS remembers
FLATTEST = 1e-2  # the least curvature, as a fraction of the largest
LONGEST = 0.5  # radians that a plane is turned at most in a round
SUFFICIENT = 1e-4  # of the rise that the slope promises (Armijo)
HALVINGS = 12  # of a step that is too long


class Slopes(NamedTuple):
    """Hold the negative derivative of the energy in every plane (i < j), and the size of its curvature."""

    gradient: Tensor
    curvature: Tensor


def raise_energy(matrices: Tensor, start: Tensor, *, rounds: int = 500, tolerance: float = 1e-7) -> Tensor:
    """Return the orthonormal basis (N, N) near `start` that makes symmetric matrices (M, N, N) most diagonal.

    It ends when a round raises the energy by less than the fraction `tolerance`. Sums are in float32 and the result,
    float64, is orthonormal to its last digits.
    """
    basis = start.to(matrices.device, torch.float32)
    turned = basis @ (matrices / matrices.abs().max().clamp(min=1e-300)).float() @ basis.mT
    if len(basis) == 1:
        return start.double()
    planes = torch.triu_indices(len(basis), len(basis), 1, device=basis.device)
    total = turned.square().sum()
    slopes, energy = _slopes(turned, planes, total), _energy(turned, total)
    past: list[tuple[Tensor, Tensor]] = []
    for _ in range(rounds):
        step = _step(slopes, past)
        rise = -float(step @ slopes.gradient)
        if rise <= 0:
            past, step = [], -slopes.gradient / slopes.curvature
            rise = -float(step @ slopes.gradient)
        found = _line_search(turned, planes, total, step, rise, energy)
        if found is None:
            break
        turned, step, turn, raised = found
        basis, before = turn @ basis, slopes
        slopes = _slopes(turned, planes, total)
        change = slopes.gradient - before.gradient
        if step @ change > 1e-12 * step.norm() * change.norm():
            past = [*past, (step, change)][-MEMORY:]
        rose, energy = raised - energy, raised
        if rose < tolerance * energy:
            break
    u, _, v = torch.linalg.svd(basis.double())
    return u @ v


def _energy(turned: Tensor, total: Tensor) -> float:
    return float(turned.diagonal(dim1=-2, dim2=-1).double().square().sum() / total)


def _slopes(turned: Tensor, planes: Tensor, total: Tensor) -> Slopes:
    diagonals = turned.diagonal(dim1=-2, dim2=-1)
    squares = diagonals.square().sum(0)
    gaps = squares[:, None] + squares - 2 * diagonals.mT @ diagonals
    cross = (turned * diagonals[:, :, None]).sum(0)
    gradient, curvature = 4 * (cross.mT - cross) / total, 4 * (gaps - 4 * turned.square().sum(0)) / total
    size = curvature[planes[0], planes[1]].abs()
    return Slopes(gradient[planes[0], planes[1]], size.clamp(min=max(FLATTEST * float(size.max()), 1e-30)))


def _step(slopes: Slopes, past: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Return the step of L-BFGS: minus the inverse of its estimate of the curvature, times the gradient."""
    gradient, weights = slopes.gradient.clone(), []
    for step, change in reversed(past):
        weights.append((step @ gradient) / (step @ change))
        gradient -= weights[-1] * change
    result = gradient / slopes.curvature
    for (step, change), weight in zip(past, reversed(weights), strict=True):
        result += (weight - (change @ result) / (step @ change)) * step
    return -result


def _line_search(
    turned: Tensor, planes: Tensor, total: Tensor, step: Tensor, rise: float, energy: float
) -> tuple[Tensor, Tensor, Tensor, float] | None:
    """Halve a step until the energy rises enough; return the turned matrices, the step, its rotation, the energy.

    Returns None if it never rises: the energy is at its maximum, up to rounding.
    """
    length = min(1.0, LONGEST / max(float(step.abs().max()), 1e-30))
    for _ in range(HALVINGS):
        skew = turned.new_zeros(turned.shape[1:])
        skew[planes[0], planes[1]] = length * step
        turn = torch.linalg.matrix_exp(skew - skew.mT)
        candidate = turn @ turned @ turn.mT
        raised = _energy(candidate, total)
        if raised >= energy + SUFFICIENT * length * rise:
            return candidate, length * step, turn, raised
        length /= 2
    return None
