"""Gradients of coordinates at single points, and the quadratic coordinates whose gradients are nearest to them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

ROUNDS = 20  # of unmixing, at most
CLOSE = 1e-2  # it ends when no entry changes by more
LONGEST = 0.5  # change of an entry in a round
PENALTY = 0.05  # on squared entries, as a fraction of what is known of them
FOLDS = 4  # parts of the points, each of which is held out once
RIDGES = (0.03, 0.1, 0.3, 1.0, 3.0)  # by which S is shrunk, in units of the mean weighted covariance of points
PASSES = 3  # of weighted least squares, after each of which the weights are computed again
FIRST_RIDGE = 0.1  # in these passes
LEAST = 1e-100  # energy of a direction, whose square is above 0
FLOOR = 1e-3  # smallest variance of a component, or energy of a direction, as a fraction of the mean


class Choice(NamedTuple):
    """Hold, for each direction, the ridge and the rank of S that are best at points held out, and by how much.

    gains: the part of the weighted squared error of a constant direction that S takes away. errors: the standard error
    of that. All are (num,).
    """

    ridges: Tensor
    ranks: Tensor
    gains: Tensor
    errors: Tensor


def unmixed(matrices: Tensor, basis: Tensor) -> Tensor:
    """Return gradients (N, N), one near each row of a basis, for matrices J^T J (C, N, N) of one point.

    Where coordinates change an image in orthogonal ways, each channel's J^T J is A D A^T, with their gradients as the
    columns of A. Gradients of good coordinates need not be orthogonal, so no rotation of the basis can find them. This
    is joint diagonalisation without that constraint, which solves for both entries of each pair at once (Ziehe et al.
    2004, https://jmlr.org/papers/v5/ziehe04a.html), with a penalty on their squares, as ways are roughly orthogonal.
    """
    turned = basis.double() @ matrices.double() @ basis.double().mT
    eye = torch.eye(len(basis), dtype=torch.double)
    mixing = eye.clone()
    for _ in range(ROUNDS):
        diagonals = turned.diagonal(dim1=1, dim2=2)
        products, seen = diagonals.mT @ diagonals, (turned * diagonals[:, None]).sum(0)
        sizes = products.diagonal() + FLOOR * products.diagonal().mean() + LEAST
        penalty = PENALTY * (sizes[:, None] * sizes).sqrt()
        own = sizes + penalty
        seen = seen - penalty * (mixing - eye)
        step = (own.mT * seen - products * seen.mT) / (own * own.mT - products.square())
        step.fill_diagonal_(0)
        longest = float(step.abs().max())
        step = step * min(1.0, LONGEST / max(longest, LONGEST))
        mixing, back = mixing @ (eye + step), torch.linalg.inv(eye + step)
        turned = back @ turned @ back.mT
        if longest < CLOSE:
            break
    return mixing.mT @ basis.double()


class Fit:
    """Fit coordinates c(z) = q.z + z'Sz / 2 so that their gradients at points are nearest to given directions there.

    points: (P, N). directions: (P, num, N). This is weighted least squares for q (num, N) and symmetric S (num, N, N).
    The weight of a component is one divided by the variance of its error, which is found in a few passes: how far a
    basis turns towards a row of it is measured better for some rows than for others. With weights W, covariance G of
    the points and products B of centred directions and points, S solves W S G + G S W + ridge W S W = W B + (W B)^T,
    which is diagonal in the generalised eigenvectors of G and W.
    """

    def __init__(self, points: Tensor, directions: Tensor):
        self.points, self.directions = points.double(), directions.double()
        self.centre, self.mean = self.points.mean(0), self.directions.mean(0)
        z = self.points - self.centre
        self.covariance = z.mT @ z / len(z)
        self.products = torch.einsum("pdi,pj->dij", self.directions - self.mean, z) / len(z)
        self.weights = torch.ones_like(self.mean)
        for _ in range(PASSES):
            self._decompose()
            variances = (self.gradients(self.matrices(FIRST_RIDGE), self.points) - self.directions).square().mean(0)
            self.weights = 1 / (variances + FLOOR * variances.mean(1, keepdim=True)).clamp_min(1e-300)
            self.weights = self.weights / self.weights.mean(1, keepdim=True)
        self._decompose()

    def _decompose(self) -> None:
        roots = self.weights.sqrt()
        self.values, vectors = torch.linalg.eigh(self.covariance / (roots[:, :, None] * roots[:, None]))
        self.axes = vectors / roots[:, :, None]
        weighted = self.weights[:, :, None] * self.products
        self.inner = self.axes.mT @ (weighted + weighted.mT) @ self.axes

    def matrices(self, ridge: float) -> Tensor:
        """Return S (num, N, N) with a ridge."""
        sums = self.values[:, :, None] + self.values[:, None]
        return self.axes @ (self.inner / (sums + 2 * ridge * self.values.mean(1)[:, None, None])) @ self.axes.mT

    def gradients(self, matrices: Tensor, points: Tensor) -> Tensor:
        """Return q + Sz at points (P, N): (P, num, N)."""
        return self.mean + torch.einsum("dij,pj->pdi", matrices, points.double() - self.centre)


def cut(matrices: Tensor, ranks: Sequence[int]) -> Iterator[Tensor]:
    """Yield, for each rank, symmetric matrices (num, N, N) with all but that many largest eigenvalues set to 0."""
    values, vectors = torch.linalg.eigh(matrices)
    falling = values.abs().sort(dim=1, descending=True).values
    for rank in ranks:
        kept = values * (values.abs() >= falling[:, rank - 1 : rank])
        yield (vectors * kept[:, None]) @ vectors.mT


def chosen(points: Tensor, directions: Tensor, ranks: Sequence[int]) -> Choice:
    """Choose ridge and rank for each direction by the error of the gradient at points held out.

    points: (P, N). directions: (P, num, N). ranks: those to try, the first of them if errors are equal.
    """
    before = torch.zeros(directions.shape[:2], dtype=torch.double)  # (P, num), error of a constant direction
    after = torch.zeros(len(RIDGES), len(ranks), *directions.shape[:2], dtype=torch.double)
    for fold in range(FOLDS):
        held = torch.arange(len(points)) % FOLDS == fold
        fit, truth = Fit(points[~held], directions[~held]), directions[held].double()
        before[held] = ((truth - fit.mean).square() * fit.weights).sum(2)
        for i, ridge in enumerate(RIDGES):
            for j, matrices in enumerate(cut(fit.matrices(ridge), ranks)):
                off = fit.gradients(matrices, points[held]) - truth
                after[i, j, held] = (off.square() * fit.weights).sum(2)
    best = after.mean(2).flatten(0, 1).argmin(0)
    of_ridge, of_rank = best // len(ranks), best % len(ranks)
    gain = before - after[of_ridge, of_rank, :, torch.arange(len(best))].mT
    whole = before.mean(0).clamp_min(1e-300)
    return Choice(
        torch.tensor(RIDGES, dtype=torch.double)[of_ridge],
        torch.tensor(ranks)[of_rank],
        gain.mean(0) / whole,
        gain.std(0) / len(points) ** 0.5 / whole,
    )
