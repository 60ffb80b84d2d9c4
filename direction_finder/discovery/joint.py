"""The paper's objective solved directly: Hessians once, then the basis that makes them most diagonal.

For a full orthonormal A, minimising the off-diagonal energy of A^T H A over many Hessians H of <u, G(z)> is maximising
its diagonal energy: approximate joint diagonalisation (see `diagonalisation`). This holds for the penalty's mean over
outputs, which random u see; its maximum over outputs is another objective, which this does not solve.
"""

import dataclasses
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from direction_finder.diagonalisation import solve
from direction_finder.directions import Directions
from direction_finder.discovery.configs import FEWEST, DirectConfig, JointConfig
from direction_finder.discovery.share import random_hessian, shares_of
from direction_finder.discovery.space import SearchSpace, finish
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.hessians import diagonal_energies
from direction_finder.penalty import check_deterministic
from direction_finder.progress import OnStep, Progress
from direction_finder.randomness import stream

VALIDATION = 4  # every so-many-th matrix is kept from solving while the run decides whether to stop
CHECK_EVERY = 8  # matrices between two looks at the validation share
LEAST_RISE = 1.02  # the share must rise by this factor between two looks, or the run ends


Measure = Callable[[SearchSpace, torch.Generator], Tensor]


def find(
    generator: Generator, config: JointConfig, *, on_step: OnStep | None = None, resume: dict[str, Tensor] | None = None
) -> Directions:
    """The orthonormal basis that makes the Hessians of <u, G>, u Gaussian, at random points most diagonal."""

    def measure(space: SearchSpace, rng: torch.Generator) -> Tensor:
        return random_hessian(space, config.at, rng, eta=config.eta, epsilon=config.epsilon, max_batch=config.max_batch)

    return collect_and_solve(generator, config, measure, "joint", on_step=on_step, resume=resume)


def work(space: SearchSpace, config: JointConfig, rows: int) -> Tensor:
    """For `tuning`: part of a Hessian, from so many gradients at once."""
    rng = stream(config.seed, "tuning")
    return random_hessian(
        space, config.at, rng, num_probes=rows // 2, eta=config.eta, epsilon=config.epsilon, max_batch=rows
    )


def collect_and_solve(
    generator: Generator,
    config: DirectConfig,
    measure: Measure,
    method: str,
    *,
    on_step: OnStep | None,
    resume: dict[str, Tensor] | None,
) -> Directions:
    """Measure a matrix per point until the share of the solution, on matrices kept aside, stops rising; solve for all.

    `measure(space, rng)` gives the matrix of a random point. The state holds every matrix, so that a run goes on, or is
    solved otherwise, without measuring again.
    """
    config.check(generator)
    space = SearchSpace(generator, config)
    rng = stream(config.seed, "points")
    matrices, shares = torch.empty(0, space.size, space.size), torch.empty(0)
    if resume:
        matrices, shares = resume["matrices"], resume["shares"]
        rng.set_state(resume["rng"])

    stopped = False
    while len(matrices) < FEWEST or (len(matrices) < config.points and not (stopped or _settled(shares, config))):
        if not len(matrices):
            x, context = space.draw_point(config.eta, stream(config.seed, "check"))
            check_deterministic(space.flat_output(config.at), x[None], *context)
        matrices = torch.cat([matrices, measure(space, rng).float().cpu()[None]])
        if not torch.isfinite(matrices[-1]).all() or not matrices[-1].any():
            raise InputError(
                f"{generator.name}: the derivatives of {', '.join(config.at)} are zero or not finite at a random point"
            )
        values = {}
        if len(matrices) % CHECK_EVERY == 0:
            share = validation_share(matrices, config)
            shares = torch.cat([shares, torch.tensor([share["share"]])])
            values = {"share": share["share"], "random_share": share["random_share"]}
        if on_step:
            state = partial(_state, matrices, shares, rng)
            progress = Progress(len(matrices), config.points, "learning", values, state)
            on_step(progress)
            stopped = stopped or progress.stopped

    rows = solve(config.solver, matrices, weight=config.weight).float()
    recorded = dataclasses.replace(config, points=len(matrices))
    last = validation_share(matrices, config) if len(matrices) >= CHECK_EVERY else None
    reason = _reason(len(matrices), config, stopped)
    return finish(space, rows, recorded, method, scores=diagonal_energies(matrices, rows), share=last, reason=reason)


def validation_share(matrices: Tensor, config: DirectConfig) -> dict[str, float]:
    """The mean share, on every fourth matrix, of the basis that the others give and of a random one."""
    kept = torch.arange(len(matrices)) % VALIDATION == VALIDATION - 1
    basis = solve(config.solver, matrices[~kept], weight=config.weight).float()
    return shares_of(matrices[kept], basis, config.seed)


def _reason(points: int, config: DirectConfig, stopped: bool) -> str:
    """Why no more points were measured, in words."""
    if points >= config.points:
        return f"all {points} points"
    return f"{'stopped' if stopped else 'the share no longer rose'} after {points} of {config.points} points"


def _settled(shares: Tensor, config: DirectConfig) -> bool:
    """True if the last two looks at the validation share brought less than LEAST_RISE each."""
    if config.keep_going or len(shares) < 3:
        return False
    best = shares[:-2].max()
    return bool((shares[-2:] < LEAST_RISE * best).all())


def _state(matrices: Tensor, shares: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
    return {"step": torch.tensor(len(matrices)), "matrices": matrices, "shares": shares, "rng": rng.get_state()}
