"""Walks that change several coordinates at once, curved or straight, and keep others as they are.

With the gradients of the coordinates as the rows of A(z), the walk dz/ds = A^+ amounts, for s from 0 to 1, raises each
coordinate by its amount on the shortest way; an amount of 0 keeps a coordinate. For one coordinate, this is the walk of
`curves`. For one that changes and others that keep theirs, its gradient loses what lies along theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from direction_finder.curves import FLAT, Curve

STEPS = 32  # of the method of Runge and Kutta, fourth order; a step that goes wrong is halved
HALVINGS = 12  # after which a walk ends
ROUNDS = 200  # of steps, at most
CLOSE = 1e-3  # largest error of a coordinate after a step, as a fraction of the step, before it is corrected


@dataclass(frozen=True)
class Coordinates:
    """Several coordinates: slopes (num, dim), bends (num, rank) and axes (num, rank, dim), see `Curve`.

    Everything is computed in double precision, on the CPU.
    """

    slopes: Tensor
    bends: Tensor
    axes: Tensor

    @classmethod
    def of(cls, curves: Sequence[Curve]) -> "Coordinates":
        """Return the coordinates of curves, of which straight ones have no bends."""
        slopes, bends, axes = (
            [tensor.detach().double().cpu() for tensor in tensors]
            for tensors in zip(*(curve.tensors() for curve in curves), strict=True)
        )
        pad = torch.nn.utils.rnn.pad_sequence
        return cls(torch.stack(slopes), pad(bends, batch_first=True), pad(axes, batch_first=True))

    @property
    def apart(self) -> float:
        """The smallest singular value of the unit slopes: 1 at right angles, 0 if one is a sum of the others."""
        unit = torch.nn.functional.normalize(self.slopes, dim=1)
        return float(torch.linalg.eigvalsh(unit @ unit.mT)[0].clamp(min=0).sqrt())

    def values(self, points: Tensor) -> Tensor:
        """Return the coordinates of points (n, dim): (n, num)."""
        squares = torch.einsum("pd,crd->pcr", points, self.axes).square()
        return points @ self.slopes.mT + (squares * self.bends).sum(2) / 2

    def velocity(self, points: Tensor, amounts: Tensor) -> Tensor:
        """Return the shortest change (n, dim) of points that raises coordinates by amounts (n, num), to first order.

        NaN or infinite where the gradients depend on one another.
        """
        along = torch.einsum("pd,crd->pcr", points, self.axes) * self.bends
        gradients = self.slopes + torch.einsum("pcr,crd->pcd", along, self.axes)
        solved = torch.linalg.solve_ex(gradients @ gradients.mT, amounts[..., None])[0]
        return (gradients.mT @ solved)[..., 0]

    def walk(self, points: Tensor, amounts: Tensor) -> Tensor:
        """Return points (n, dim) after walks that raise the coordinates by amounts (n, num).

        All coordinates change in proportion. A walk ends early where a step would have to be more than 1 / FLAT times
        as long as at z = 0, as the walk along one curve does.
        """
        z, total = points.detach().double().cpu(), amounts.detach().double().cpu()
        if not self.bends.any():
            return (z + self.velocity(z, total)).to(points)
        start, size = self.values(z), total.abs().amax(1)
        longest = self.velocity(torch.zeros_like(z), total).norm(dim=1) / FLAT
        done, step = torch.zeros_like(size), torch.full_like(size, 1 / STEPS)
        velocity = self.velocity(z, total)
        for _ in range(ROUNDS):
            by = torch.minimum(step, 1 - done).where(step * STEPS > 2.0**-HALVINGS, 0)
            if not by.any():
                break
            near = z + self._step(z, total, velocity, by[:, None])
            missed = start + (done + by)[:, None] * total - self.values(near)
            near = near + self.velocity(near, missed)
            faster = self.velocity(near, total)
            allowed = torch.maximum(longest, velocity.norm(dim=1))
            well = (missed.abs().amax(1) <= CLOSE * by * size) & (faster.norm(dim=1) <= allowed)
            z, velocity = (torch.where(well[:, None], *pair) for pair in ((near, z), (faster, velocity)))
            done, step = torch.where(well, done + by, done), torch.where(well, step, step / 2)
        return z.to(points)

    def walk_layers(self, latents: Tensor, amounts: Tensor) -> Tensor:
        """Walk latents (batch, layers, dim), that of each layer on its own, by amounts (batch, layers, num)."""
        same = all(not bool((each != each[:, :1]).any()) for each in (latents, amounts))  # z is mostly that of all
        points, by = (each[:, :1] if same else each for each in (latents, amounts))
        return self.walk(points.flatten(0, 1), by.flatten(0, 1)).view(points.shape).expand_as(latents)

    def _step(self, z: Tensor, total: Tensor, first: Tensor, by: Tensor) -> Tensor:
        """Return a step of the method of Runge and Kutta. first: the velocity at z."""
        second = self.velocity(z + by / 2 * first, total)
        third = self.velocity(z + by / 2 * second, total)
        fourth = self.velocity(z + by * third, total)
        return by / 6 * (first + 2 * second + 2 * third + fourth)
