"""Common code of the direct methods: measure a matrix at each of many random points, then solve for the basis once."""

import dataclasses
from collections.abc import Callable
from functools import partial, reduce

import torch
from torch import Tensor

from direction_finder import torchrun
from direction_finder.diagonalisation import joint, solve
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
from direction_finder.stacks import energies, merged

VALIDATION = 4  # every fourth point is held out for validation while the run decides whether to stop
FIRST_CHECK, CHECK_EVERY = 4, 2  # points before the first check of the validation share, and between two checks
PATIENCE = 4  # checks in which the share must rise by the factor LEAST_RISE, or the run ends
LEAST_RISE = 1.02
ROUGH, FEW = 1e-5, 64  # tolerance, and matrices of all points by channel, with which the validation share is measured


Measure = Callable[[SearchSpace, torch.Generator], Tensor]
Solver = Callable[[Tensor], Tensor]


class Points:
    """Hold what was measured at all points so far, and say how diagonal three quarters of them make the rest.

    matrices: (points * kept, size, size).
    """

    def __init__(self, config: DirectConfig, size: int, solver: Solver | None):
        self.config, self.kept = config, config.per_point(size)
        self.solver = solver
        self.matrices = torch.empty(0, size, size)
        self.training = torch.empty(0, size, size)  # of the points that are not held out, merged

    def __len__(self) -> int:
        return len(self.matrices) // self.kept

    def add(self, measured: Tensor) -> None:
        """Add the matrices (kept, size, size) of the next point."""
        if len(self) % VALIDATION != VALIDATION - 1:
            self.training = torch.cat([self.training, measured]) if self.kept == 1 else merged(self.training, measured)
        self.matrices = torch.cat([self.matrices, measured])

    def share(self) -> dict[str, float]:
        """Return the shares, on the points held out, of the basis that the others give and of a random one."""
        few = self.training if self.kept == 1 else self.training[:FEW]
        basis = (self.solver or self._rough)(few).float()
        return shares_of(self.stacks()[VALIDATION - 1 :: VALIDATION], basis, self.config.seed)

    def stacks(self) -> Tensor:
        """Return the matrices by point: (points, kept, size, size)."""
        return self.matrices.unflatten(0, (-1, self.kept))

    def solved(self) -> Tensor:
        """Return the basis (size, size) that all points give."""
        every = self.matrices if self.kept == 1 else reduce(merged, self.stacks())
        return (self.solver or self._exact)(every).float()

    def _exact(self, matrices: Tensor) -> Tensor:
        return solve(self.config.solver, matrices, weight="raw" if self.kept > 1 else self.config.weight)

    def _rough(self, matrices: Tensor) -> Tensor:
        if self.kept > 1 and self.config.solver == "joint":
            return joint(matrices, tolerance=ROUGH)
        return self._exact(matrices)


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
    """Measure matrices until the solution's diagonal share on held-out points stops rising, then solve with all.

    `measure(space, rng)` returns the matrices (kept, size, size) of one random point; point i draws from a stream of
    its own. The state holds every matrix, so that a run can be resumed, or solved with other settings, without
    measuring again. solver: matrices -> basis, instead of the solver that the configuration names.
    """
    config.check(generator)
    space = SearchSpace(generator, config)
    points, shares = Points(config, space.size, solver), torch.empty(0)
    rng = _restore(resume, points) if resume else None
    if resume:
        shares = resume["shares"]

    x, context = space.draw_point(config.eta, stream(config.seed, "check"))
    forward = Repeatable(space.flat_output(config.at), x[None], *context)
    stopped, source, share = False, _Source(measure, space, config.seed, rng), None
    while _goes_on(points, shares, stopped):
        if forward.first is None:
            forward.check()
        measured = source.point(len(points))
        check_derivatives(measured, generator, config.at)
        points.add(measured)
        share = None
        values = {"kept": float(measured.square().sum())} if points.kept > 1 else {}
        if len(points) >= FIRST_CHECK and (len(points) - FIRST_CHECK) % CHECK_EVERY == 0:
            forward.check()
            share = points.share()
            shares = torch.cat([shares, torch.tensor([share["share"]])])
            values |= {"share": share["share"], "random_share": share["random_share"]}
        if on_step:
            state = partial(_state, points, shares, rng)
            progress = Progress(len(points), config.points, "learning", values, state)
            on_step(progress)
            stopped = stopped or progress.stopped
    if forward.first is not None:
        forward.check()

    rows = points.solved()
    recorded = dataclasses.replace(config, points=len(points))
    if share is None and len(points) >= FIRST_CHECK:
        share = points.share()
    reason = _reason(len(points), config, stopped)
    return finish(space, rows, recorded, method, scores=energies(points.stacks(), rows), share=share, reason=reason)


def check_derivatives(measured: Tensor, generator: Generator, at: tuple[str, ...]) -> None:
    """Raise InputError if what was measured at a point, matrices of any shape, is not finite or all 0."""
    if not torch.isfinite(measured).all() or not measured.any():
        raise InputError(
            f"{generator.name}: the derivatives of {', '.join(at)} are zero or not finite at a random point"
            "; set another output as `at`"
        )


class _Source:
    """Measures one point after the other; of several processes, each measures one point of a round for all."""

    def __init__(self, measure: Measure, space: SearchSpace, seed: int, rng: torch.Generator | None):
        self.measure, self.space, self.seed, self.rng = measure, space, seed, rng
        self.round: dict[int, Tensor] = {}

    def point(self, number: int) -> Tensor:
        """Return the matrices (kept, size, size) of the point of this number."""
        if self.rng:  # all points draw from one stream, so every process measures all
            return self.measure(self.space, self.rng).float().cpu()
        if number not in self.round:
            mine = number + torchrun.number()
            space, own = self.space.at_point(mine, VALIDATION), stream(self.seed, f"point {mine}")
            measured = torchrun.gathered(lambda: self.measure(space, own).float().cpu())
            self.round = dict(enumerate(measured, start=number))
        return self.round.pop(number)


def _goes_on(points: Points, shares: Tensor, stopped: bool) -> bool:
    """Return whether the first process wants another point."""
    config = points.config
    classes = len(config.class_numbers)  # each needs a point
    return torchrun.from_first(
        lambda: (
            len(points) < FEWEST
            or (len(points) < config.points and not (stopped or (len(points) >= classes and _settled(shares, config))))
        )
    )


def _reason(points: int, config: DirectConfig, stopped: bool) -> str:
    """Say why no more points were measured."""
    if points >= config.points:
        return f"all {points} points"
    return f"{'stopped' if stopped else 'the share no longer rose'} after {points} of {config.points} points"


def _settled(shares: Tensor, config: DirectConfig) -> bool:
    """Return True if none of the last checks raised the validation share by the factor LEAST_RISE."""
    if config.keep_going or len(shares) <= PATIENCE:
        return False
    best = shares[:-PATIENCE].max()
    return bool((shares[-PATIENCE:] < LEAST_RISE * best).all())


def _state(points: Points, shares: Tensor, rng: torch.Generator | None) -> dict[str, Tensor]:
    state = {"step": torch.tensor(len(points)), "matrices": points.matrices, "shares": shares}
    return {**state, "rng": rng.get_state()} if rng else state


def _restore(state: dict[str, Tensor], points: Points) -> torch.Generator | None:
    """Add the points of a state. Return the random stream of all points, which versions up to 0.2 drew from."""
    size = points.matrices.shape[-1]
    rng = stream(points.config.seed, "points") if "rng" in state else None
    check_state(state, {"matrices": (None, size, size), "shares": (None,)}, rng)
    for measured in state["matrices"].split(points.kept):
        points.add(measured)
    if rng:
        rng.set_state(state["rng"])
    return rng
