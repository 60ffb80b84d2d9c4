"""Curved coordinates c(z) = q.z + z'Sz / 2, and walks along their gradient g(z) = q + Sz.

The walk dz/ds = g / |g|^2 raises c by s. With d tau = ds / |g|^2 it becomes dz/dtau = g, a linear equation: g is
exp(S tau) g(0), so every component of g along an eigenvector of S grows or shrinks exponentially, and z and c have
closed forms. Only the time tau at which c has risen by the wanted amount is searched for, by Newton's method. So a walk
is exact to rounding, however long it is, and walking back undoes it.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

FLAT = 0.5  # a walk ends where |g| falls below this fraction of |q|
ROUNDS = 60  # of Newton's method, or of halving an interval: about ten are needed
CLOSE = 1e-12  # largest error of c, as a fraction of the amount
LARGEST_EXPONENT = 600.0  # beyond which squares of double precision overflow


@dataclass(frozen=True, eq=False)
class Curve:
    """A curved coordinate, with S by its eigenvalues that are not 0.

    slope: q (dim,). bends: eigenvalues of S (rank,). axes: their unit eigenvectors (rank, dim). Latents are in units of
    their scale.
    """

    slope: Tensor
    bends: Tensor
    axes: Tensor

    @classmethod
    def of(cls, slope: Tensor, matrix: Tensor, rank: int) -> "Curve":
        """Return the curve of q (dim,) and the `rank` largest eigenvalues of a symmetric matrix S (dim, dim)."""
        values, vectors = torch.linalg.eigh(matrix)
        largest = values.abs().argsort(descending=True)[:rank]
        return cls(slope, values[largest], vectors.mT[largest]).trimmed()

    def trimmed(self) -> "Curve":
        """Return the curve without eigenvalues of 0."""
        kept = self.bends != 0
        return dataclasses.replace(self, bends=self.bends[kept], axes=self.axes[kept])

    def to(self, device: torch.device | str) -> "Curve":
        """Return the curve on another device."""
        return Curve(self.slope.to(device), self.bends.to(device), self.axes.to(device))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Curve):
            return NotImplemented
        return all(torch.equal(a.cpu(), b.cpu()) for a, b in zip(self.tensors(), other.tensors(), strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self.bends.tolist()))

    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return slope, bends and axes."""
        return self.slope, self.bends, self.axes

    def coordinate(self, points: Tensor) -> Tensor:
        """Return c of points (..., dim): (...)."""
        slope, bends, axes = (tensor.to(points) for tensor in self.tensors())
        return points @ slope + (points @ axes.mT).square() @ bends / 2

    def gradient(self, points: Tensor) -> Tensor:
        """Return the gradient q + Sz at points (..., dim)."""
        slope, bends, axes = (tensor.to(points) for tensor in self.tensors())
        return slope + ((points @ axes.mT) * bends) @ axes

    def walk(self, points: Tensor, amounts: Tensor) -> Tensor:
        """Return points (n, dim) after walks that raise c by amounts (n,), or less where |g| falls below |q| / 2.

        Points at which |g| is smaller already can only walk to where it rises. Computed in double precision, on the
        CPU.
        """
        slope, bends, axes = (tensor.detach().double().cpu() for tensor in self.tensors())
        start = points.detach().double().cpu()
        along = slope @ axes.mT + (start @ axes.mT) * bends  # g in the coordinates along the axes
        rest = slope - slope @ axes.mT @ axes  # what S leaves as it is
        given = amounts.detach().double().cpu()
        flow = _Flow(along.square(), given.sign()[:, None] * bends, float(rest @ rest))
        times = (given.sign() * flow.time(given.abs(), FLAT**2 * float(slope @ slope)))[:, None]
        moved = start + times * rest + (times * _growth(times * bends) * along) @ axes
        return moved.to(points)

    def walk_layers(self, latents: Tensor, amounts: Tensor) -> Tensor:
        """Walk latents (batch, layers, dim), that of each layer on its own, by amounts of a shape like (batch, 1)."""
        several = latents if bool((latents != latents[:, :1]).any()) else latents[:, :1]  # z is mostly that of all
        points, by = torch.broadcast_tensors(several, amounts[:, : several.shape[1]].unsqueeze(-1))
        return self.walk(points.flatten(0, 1), by[..., 0].flatten()).view(points.shape)


@dataclass(frozen=True)
class _Flow:
    """Follow dz/dtau = g from several points at once.

    energy: squared components of g (n, rank) at tau = 0. rates: how fast they grow (n, rank). rest: the square of what
    is constant.
    """

    energy: Tensor
    rates: Tensor
    rest: float

    def rise(self, time: Tensor) -> Tensor:
        """Return how far c has risen at times (n,)."""
        time = time[:, None]
        return (self.energy * time * _growth(2 * self.rates * time)).sum(1) + self.rest * time[:, 0]

    def steepness(self, time: Tensor) -> Tensor:
        """Return |g|^2 at times (n,)."""
        return self._grown(time).sum(1) + self.rest

    def change(self, time: Tensor) -> Tensor:
        """Return the derivative of |g|^2 at times (n,)."""
        return 2 * (self.rates * self._grown(time)).sum(1)

    def _grown(self, time: Tensor) -> Tensor:
        return self.energy * (2 * self.rates * time[:, None]).clamp(max=LARGEST_EXPONENT).exp()

    def end(self, least: float) -> Tensor:
        """Return the times (n,) at which |g|^2 falls to `least`: inf where it never does, 0 where it is below.

        |g|^2 is convex in time, so Newton's method approaches that time from below.
        """
        time = torch.zeros(len(self.energy), dtype=torch.double)
        for _ in range(ROUNDS):
            above, falling = self.steepness(time) - least, self.change(time)
            time = torch.where(falling < 0, time + above.clamp(min=0) / -falling, torch.inf)
            if not ((above > CLOSE * least) & (falling < 0)).any():
                break
        return time

    def time(self, amounts: Tensor, least: float) -> Tensor:
        """Return the times (n,) at which c has risen by amounts (n,) >= 0, or |g|^2 has fallen to `least`."""
        zero, begin = torch.zeros_like(amounts), self.steepness(torch.zeros_like(amounts))
        bound = torch.where(self.change(zero) < 0, least, begin)  # |g|^2 is nowhere smaller on the way
        last = torch.minimum(self.end(least), amounts / bound)
        last = torch.minimum(last, LARGEST_EXPONENT / 2 / self.rates.abs().amax(1)) if self.rates.numel() else last
        last = torch.where(begin > CLOSE * least, last, 0)
        return torch.where(self.rise(last) <= amounts, last, _root(self.rise, self.steepness, amounts, last))


def _growth(exponents: Tensor) -> Tensor:
    """Return (exp(x) - 1) / x, which is 1 at 0."""
    return torch.where(exponents == 0, 1, exponents.clamp(max=LARGEST_EXPONENT).expm1() / exponents)


def _root(f: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor], values: Tensor, high: Tensor) -> Tensor:
    """Return x (n,) in [0, high] with f(x) = values (n,), for an f that rises from 0, at most exponentially.

    This is Newton's method for log f, with halving where it leaves the interval that is left.
    """
    low, x = torch.zeros_like(high), high / 2
    for _ in range(ROUNDS):
        reached = f(x)
        below = reached < values
        low, high = torch.where(below, x, low), torch.where(below, high, x)
        if not ((reached - values).abs() > CLOSE * values).any():
            break
        better = x - (reached / values).log() * reached / slope(x)
        x = torch.where((better > low) & (better < high), better, (low + high) / 2)
    return x
