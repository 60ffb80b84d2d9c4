"""Joint diagonalisation by L-BFGS over rotations, at the speed of matrix products.

The energy sum_k sum_i f(d_i), with d the diagonal of T = Q M_k Q^T and f the square or another convex function, is
raised over rotations exp(A) Q, A skew. With D = d_i - d_j and F = f'(d_i) - f'(d_j), its derivative in the plane of
rows i and j is 2 sum_k F T_ij, and its curvature sum_k [4 (f''(d_i) + f''(d_j)) T_ij^2 - 2 F D], whose absolute value
is the preconditioner. L-BFGS (Nocedal and Wright 2006, Algorithm 7.4) uses the last ten steps as if they began at the
same rotation. A round costs two products of every matrix with an N x N rotation, where a sweep of Jacobi rotations
costs 2 N of them.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

MEMORY = 10  # steps that L-BFGS remembers
FLATTEST = 1e-2  # the least curvature, as a fraction of the largest
LONGEST = 0.5  # radians that a plane is turned at most in a round
SUFFICIENT = 1e-4  # of the rise that the slope promises (Armijo)
HALVINGS = 12  # of a step that is too long
TOLERANCE = 1e-7  # the search ends when a round raises the energy by no more than this fraction


class Terms(NamedTuple):
    """Hold f, f' and f'' of diagonal entries, each of their shape (M, N)."""

    values: Tensor
    first: Tensor
    second: Tensor


Objective = Callable[[Tensor], Terms]
"""What is raised, as a function of the diagonals (M, N) of all matrices."""


def squares(diagonals: Tensor) -> Terms:
    """Return the terms of the diagonal energy."""
    return Terms(diagonals.square(), 2 * diagonals, torch.full_like(diagonals, 2))


class Slopes(NamedTuple):
    """Hold the negative derivative of the energy in every plane (i < j), and the size of its curvature."""

    gradient: Tensor
    curvature: Tensor


def raise_energy(
    matrices: Tensor,
    start: Tensor,
    *,
    objective: Objective = squares,
    rounds: int = 500,
    tolerance: float = TOLERANCE,
) -> Tensor:
    """Return the orthonormal basis (N, N) near `start` that makes symmetric matrices (M, N, N) most diagonal.

    objective: f. Matrices are divided by their largest entry, so their scale may change f by a factor only. The search
    ends when a round raises the energy by no more than the fraction `tolerance`. Sums are in float32 and the result,
    float64, is orthonormal to its last digits.
    """
    basis = start.to(matrices.device, torch.float32)
    turned = basis @ (matrices / matrices.abs().max().clamp(min=1e-300)).float() @ basis.mT
    if len(basis) == 1:
        return start.double()
    planes = torch.triu_indices(len(basis), len(basis), 1, device=basis.device)
    total = turned.square().sum()
    slopes_of = partial(_slopes, planes=planes, total=total, objective=objective)
    energy_of = partial(_energy, total=total, objective=objective)
    slopes, energy = slopes_of(turned), energy_of(turned)
    past: list[tuple[Tensor, Tensor]] = []
    for _ in range(rounds):
        step = _step(slopes, past)
        rise = -float(step @ slopes.gradient)
        if rise <= 0:
            past, step = [], -slopes.gradient / slopes.curvature
            rise = -float(step @ slopes.gradient)
        found = _line_search(turned, planes, energy_of, step, rise, energy)
        if found is None:
            break
        turned, step, turn, raised = found
        basis, before = turn @ basis, slopes
        slopes = slopes_of(turned)
        change = slopes.gradient - before.gradient
        if step @ change > 1e-12 * step.norm() * change.norm():
            past = [*past, (step, change)][-MEMORY:]
        rose, energy = raised - energy, raised
        if rose <= tolerance * energy:
            break
    u, _, v = torch.linalg.svd(basis.double())
    return u @ v


def _energy(turned: Tensor, total: Tensor, objective: Objective) -> float:
    return float(objective(turned.diagonal(dim1=-2, dim2=-1).double()).values.sum() / total)


def _slopes(turned: Tensor, planes: Tensor, total: Tensor, objective: Objective) -> Slopes:
    diagonals = turned.diagonal(dim1=-2, dim2=-1)
    _, first, second = objective(diagonals)
    own, products = (first * diagonals).sum(0), first.mT @ diagonals
    gaps = own[:, None] + own - products - products.mT
    cross = (turned * first[:, :, None]).sum(0)
    bend = (turned.square() * second[:, :, None]).sum(0)
    gradient, curvature = 2 * (cross.mT - cross) / total, (2 * gaps - 4 * (bend + bend.mT)) / total
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
    turned: Tensor, planes: Tensor, energy_of: Callable[[Tensor], float], step: Tensor, rise: float, energy: float
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
        raised = energy_of(candidate)
        if raised >= energy + SUFFICIENT * length * rise:
            return candidate, length * step, turn, raised
        length /= 2
    return None
