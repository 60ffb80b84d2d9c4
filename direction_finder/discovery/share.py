"""How diagonal a basis makes Hessians that it has never seen: the diagonal share, measured while a method works."""

from copy import copy

import torch
from torch import Tensor

from direction_finder.discovery.space import SearchSpace
from direction_finder.hessians import diagonal_share, hessian, orthogonal_probes, probe_count
from direction_finder.randomness import normal, stream

ALLOWANCE = 0.1  # the Hessians may cost this part of the passes of the run so far
ETA = 5.0  # where they are measured, as in the paper's objective


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
    """The Hessian (size, size) of <u, G> at a random point, u Gaussian on the outputs named in `at`.

    num_probes: as many as make the Hessian exact, unless fewer will do.
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
    """The mean diagonal share of a basis and of a random one, on how many matrices."""
    size = matrices.shape[-1]
    reference = torch.linalg.qr(normal(size, size, stream(seed, "reference basis")))[0]
    found, random = (float(diagonal_share(matrices, rows).mean()) for rows in (basis, reference))
    return {"share": found, "random_share": random, "share_of": len(matrices)}


class ShareMeter:
    """Measures `count` Hessians of its own, one as soon as it costs a tenth of the passes of the run so far.

    The i-th depends on the seed and i alone: a run that goes on measures what it would have measured anyway.
    """

    def __init__(self, space: SearchSpace, at: tuple[str, ...], *, count: int, seed: int, max_batch: int):
        self.space = copy(space)
        self.space.half = None
        self.at, self.count, self.seed, self.max_batch = at, count, seed, max_batch
        self.hessians = torch.empty(0, space.size, space.size)

    def update(self, passes: float) -> None:
        """Measure what a run of so many passes may be charged for (a gradient counts as two)."""
        cost = 4 * probe_count(self.space.size)
        while len(self.hessians) < min(self.count, int(ALLOWANCE * passes / cost)):
            rng = stream(self.seed, f"share {len(self.hessians)}")
            matrix = random_hessian(self.space, self.at, rng, eta=ETA, epsilon=0.1, max_batch=self.max_batch)
            self.hessians = torch.cat([self.hessians, matrix.cpu()[None]])

    def of(self, rows: Tensor) -> dict[str, float]:
        """See `shares_of`; empty before the first Hessian."""
        return shares_of(self.hessians, rows, self.seed) if len(self.hessians) else {}
