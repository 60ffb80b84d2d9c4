"""Measure, while a method learns, how diagonal its basis makes Hessians that it was not learned from."""

from copy import copy

import torch
from torch import Tensor

from direction_finder import torchrun
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.hessians import hessian, orthogonal_probes, probe_count
from direction_finder.randomness import normal, stream
from direction_finder.stacks import shares

ALLOWANCE = 0.1  # the Hessians may cost at most this fraction of the run's passes so far
ETA = 5.0  # largest distance from z at which they are measured, as in the paper's objective


def random_hessian(
    space: SearchSpace,
    at: tuple[str, ...],
    rng: torch.Generator,
    *,
    eta: float,
    epsilon: float,
    max_batch: int,
    num_probes: int | None = None,
) -> Tensor:
    """Return the Hessian (size, size) of <u, G> at a random point, with u Gaussian over the outputs named in `at`.

    num_probes: use only this many probes; None: enough for an exact Hessian.
    """
    space.generator.check_differentiable("a Hessian")
    x, context = space.draw_point(eta, rng)
    f = space.flat_output(at)
    with torch.no_grad():
        shape = f(x[None], *context).shape[1:]
    projection = torch.randn(shape, generator=rng).to(x)
    probes = orthogonal_probes(len(x), rng)[:num_probes]
    return hessian(f, x, projection, probes, epsilon=epsilon, context=context, max_batch=max_batch)


def shares_of(matrices: Tensor, basis: Tensor, seed: int) -> dict[str, float]:
    """Return the mean diagonal share of a basis (size, size) and of a random one, and the number of matrices.

    matrices: (number, size, size), or stacks of several (number, several, size, size).
    """
    stacks = matrices if matrices.ndim == 4 else matrices[:, None]
    size = matrices.shape[-1]
    reference = torch.linalg.qr(normal(size, size, stream(seed, "reference basis")))[0]
    own_share, random_share = (float(shares(stacks, rows).mean()) for rows in (basis, reference))
    return {"share": own_share, "random_share": random_share, "share_of": len(matrices)}


class ShareMeter:
    """Measures up to `count` Hessians, whose cost never exceeds a tenth of the run's passes so far.

    The i-th Hessian depends only on the seed and i, so a resumed run measures the same ones as an uninterrupted run.
    """

    def __init__(self, space: SearchSpace, at: tuple[str, ...], *, count: int, seed: int, max_batch: int):
        self.space = copy(space)
        self.space.half = None
        self.at, self.count, self.seed, self.max_batch = at, count, seed, max_batch
        self.hessians = torch.empty(0, space.size, space.size)

    def update(self, passes: float) -> None:
        """Measure as many Hessians as a run of `passes` passes allows (a gradient counts as two passes)."""
        allowed = min(self.count, int(ALLOWANCE * passes / (4 * probe_count(self.space.size))))
        for matrix in torchrun.shared(range(len(self.hessians), allowed), self._hessian):
            self.hessians = torch.cat([self.hessians, matrix[None]])

    def _hessian(self, number: int) -> Tensor:
        rng = stream(self.seed, f"share {number}")
        return random_hessian(self.space, self.at, rng, eta=ETA, epsilon=0.1, max_batch=self.max_batch).cpu()

    def of(self, rows: Tensor) -> dict[str, float]:
        """Return `shares_of` the basis `rows` (size, size); empty before the first Hessian."""
        return shares_of(self.hessians, rows, self.seed) if len(self.hessians) else {}
