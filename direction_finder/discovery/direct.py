"""Common code of the direct methods: measure a matrix at each of many random points, then solve for the basis once."""

import dataclasses
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from direction_finder.diagonalisation import solve
from direction_finder.directions import Directions
from direction_finder.discovery.configs import FEWEST, DirectConfig
from direction_finder.discovery.diagonal_share import shares_of
from direction_finder.discovery.search_space import SearchSpace, finish
from direction_finder.discovery.states import check_state
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.penalty import Repeatable
from direction_finder.progress import OnStep, Progress
from direction_finder.randomness import stream
from direction_finder.stacks import energies, thin

VALIDATION = 4  # every fourth matrix is held out for validation while the run decides whether to stop
CHECK_EVERY = 8  # matrices between two checks of the validation share
MERGED = 256  # matrices to which those of all points are compressed before they are diagonalised
LEAST_RISE = 1.02  # the run ends if the share rises by less than this factor in two checks


Measure = Callable[[SearchSpace, torch.Generator], Tensor]
Solver = Callable[[Tensor], Tensor]


def collect_and_solve(
    generator: Generator,
    config: DirectConfig,
    measure: Measure,
    method: str,
    *,
    solver: Solver | None = None,
    on_step: OnStep | None,
    resume: dict[str, Tensor] | None,
) -> Directions:
    """Measure matrices until the solution's diagonal share on held-out matrices stops rising, then solve with all.

    `measure(space, rng)` returns the matrix of one random point. The state holds every matrix, so that a run can be
    resumed, or solved with other settings, without measuring again. solver: matrices -> basis, instead of the solver
    that the configuration names.
    """
    config.check(generator)
    space = SearchSpace(generator, config)
    rng = stream(config.seed, "points")
    matrices, shares = torch.empty(0, space.size, space.size), torch.empty(0)
    if resume:
        check_state(resume, {"matrices": (None, space.size, space.size), "shares": (None,)}, rng)
        matrices, shares = resume["matrices"], resume["shares"]
        rng.set_state(resume["rng"])

    x, context = space.draw_point(config.eta, stream(config.seed, "check"))
    forward = Repeatable(space.flat_output(config.at), x[None], *context)
    stopped = False
    points = len(matrices) // config.per_point
    while points < FEWEST or (points < config.points and not (stopped or _settled(shares, config))):
        if forward.first is None:
            forward.check()
        measured = measure(space, rng).float().cpu().view(config.per_point, space.size, space.size)
        matrices = torch.cat([matrices, measured])
        if not torch.isfinite(measured).all() or not measured.any():
            raise InputError(
                f"{generator.name}: the derivatives of {', '.join(config.at)} are zero or not finite at a random point"
                "; set another output as `at`"
            )
        values, points = {}, points + 1
        if points % CHECK_EVERY == 0:
            forward.check()
            share = validation_share(matrices, config, solver)
            shares = torch.cat([shares, torch.tensor([share["share"]])])
            values = {"share": share["share"], "random_share": share["random_share"]}
        if on_step:
            state = partial(_state, points, matrices, shares, rng)
            progress = Progress(points, config.points, "learning", values, state)
            on_step(progress)
            stopped = stopped or progress.stopped
    if forward.first is not None:
        forward.check()

    rows = _solved(matrices, config, solver)
    recorded = dataclasses.replace(config, points=points)
    last = validation_share(matrices, config, solver) if points >= CHECK_EVERY else None
    scores = energies(matrices.unflatten(0, (points, -1)), rows)
    return finish(space, rows, recorded, method, scores=scores, share=last, reason=_reason(points, config, stopped))


def _solved(matrices: Tensor, config: DirectConfig, solver: Solver | None) -> Tensor:
    """Return the basis (size, size) that a configuration's solver computes from matrices (number, size, size)."""
    if solver:
        return solver(matrices).float()
    if config.per_point == 1:
        return solve(config.solver, matrices, weight=config.weight).float()
    return solve(config.solver, thin(matrices, min(len(matrices), MERGED)), weight="raw").float()


def validation_share(matrices: Tensor, config: DirectConfig, solver: Solver | None = None) -> dict[str, float]:
    """Solve with three quarters of the matrices and measure the shares on the rest.

    Returns the shares of that solution and of a random basis, as `shares_of` does.
    """
    stacks = matrices.unflatten(0, (-1, config.per_point))
    held_out = torch.arange(len(stacks)) % VALIDATION == VALIDATION - 1
    basis = _solved(stacks[~held_out].flatten(0, 1), config, solver)
    return shares_of(stacks[held_out], basis, config.seed)


def _reason(points: int, config: DirectConfig, stopped: bool) -> str:
    """Say why no more points were measured."""
    if points >= config.points:
        return f"all {points} points"
    return f"{'stopped' if stopped else 'the share no longer rose'} after {points} of {config.points} points"


def _settled(shares: Tensor, config: DirectConfig) -> bool:
    """Return True if neither of the last two checks raised the validation share by the factor LEAST_RISE."""
    if config.keep_going or len(shares) < 3:
        return False
    best = shares[:-2].max()
    return bool((shares[-2:] < LEAST_RISE * best).all())


def _state(points: int, matrices: Tensor, shares: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
    return {"step": torch.tensor(points), "matrices": matrices, "shares": shares, "rng": rng.get_state()}
