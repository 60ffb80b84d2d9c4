"""Do what takes memory in a run, with a given number of rows at once, for `tuning` to measure."""

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import torch

from direction_finder.diagonalisation import square_eigenvectors
from direction_finder.directions import Directions
from direction_finder.discovery.configs import FEWEST, DirectConfig, LocalBasisConfig, LoopConfig
from direction_finder.discovery.diagonal_share import ETA, ShareMeter, random_hessian
from direction_finder.discovery.loop import draw_batch, starting_rows
from direction_finder.discovery.search_space import SearchSpace, strengths
from direction_finder.discovery.tuning import Fixed, Rehearsal, Work
from direction_finder.hessians import probe_count
from direction_finder.orthogonal import parametrise
from direction_finder.penalty import Repeatable
from direction_finder.progress import Progress
from direction_finder.randomness import stream
from direction_finder.stacks import MERGED

SINGLE, DOUBLE = 4, 8  # bytes of a number
SOLVING = 5  # doubles at the peak of solving, for each entry of the matrices
HEAP = 2**25  # glibc takes what is smaller from its heap, where the gaps come to as much again
LOOPING = 16  # matrices of a loop: that of directions, its gradient, the optimiser's means, and copies in the state
LEAVING = 2**27  # bytes of torch's libraries that are read from the disk only when the process ends
GRAMS = 3  # copies of the matrices of all channels of a layer at the peak of compressing them
SHARING = 6  # matrices at the peak of measuring a diagonal share, for each Hessian

Direct = TypeVar("Direct", bound=DirectConfig | LocalBasisConfig)
Loop = TypeVar("Loop", bound=LoopConfig)


def direct(work: Work[Direct], total: Callable[[int], int], *, keeps_outputs: bool) -> Rehearsal[Direct]:
    """Return the rehearsal of a direct method.

    total: size of the searched space -> rows that one matrix takes. keeps_outputs: whether the derivatives of all
    outputs along every axis are in memory together.
    """

    def fixed(space: SearchSpace, config: Direct) -> Fixed:
        x, context = space.draw_point(config.eta, stream(config.seed, "tuning"))
        f = space.flat_output(config.at)
        Repeatable(f, x[None], *context).check()
        square_eigenvectors(torch.eye(space.size).repeat(FEWEST, 1, 1))  # loads the solvers' libraries
        with torch.no_grad():
            outputs = space.outputs(config.at, x[None], *context)
        of_point = config.per_point(space.size)
        entries, leaving = (0, 0) if x.is_cuda else (config.points * of_point * space.size**2, LEAVING)
        derivatives = SINGLE * space.size * sum(each.numel() for each in outputs) if keeps_outputs else 0
        grams = SINGLE * space.size**2 * max(each.shape[1] for each in outputs) if of_point > 1 else 0
        kept = SINGLE * entries + derivatives
        solved, beside = (min(entries, MERGED * space.size**2), SINGLE * entries) if of_point > 1 else (entries, 0)
        solving = DOUBLE * solved * (SOLVING if DOUBLE * solved > HEAP else 2 * SOLVING)
        return Fixed(kept, max(beside + solving, kept + derivatives + GRAMS * grams, leaving))

    def batches(space: SearchSpace, config: Direct, rows: int) -> None:
        for part in (rows, total(space.size) % rows, rows):
            if part:
                work(space, config, part)

    return Rehearsal(fixed, batches, lambda space, config: total(space.size))


def loop(find: Callable[..., Directions], work: Work[Loop]) -> Rehearsal[Loop]:
    """Return the rehearsal of a loop over matrices A, with its meter of the diagonal share and its scoring."""

    def fixed(space: SearchSpace, config: Loop) -> Fixed:
        rows = config.rows_per_sample
        few = dataclasses.replace(config, steps=2, batch_size=1, max_batch=rows, share_points=0)
        find(space.generator, few, on_step=Progress.stop)  # ends after the first step
        with torch.no_grad():
            image = space.generator(space.generator.samples(1))
        matrices, leaving = (0, 0) if image.is_cuda else (LOOPING + SHARING * config.share_points, LEAVING)
        kept, scored = SINGLE * matrices * space.size**2, image.nbytes * config.score_samples
        return Fixed(kept + scored, max(kept + 2 * scored, leaving))

    def batches(space: SearchSpace, config: Loop, rows: int) -> None:
        batch = draw_batch(space, config, space.size, stream(config.seed, "tuning"))
        for part in (rows, config.batch_size * config.rows_per_sample % rows, rows):
            if part:
                work(space, config, part)
        del batch  # it was in memory until here, as in a step
        samples = min(config.score_samples, 1 + rows // space.size)  # enough for two batches
        config = dataclasses.replace(config, max_batch=rows, score_samples=samples)
        if measures_shares(config):
            meter = ShareMeter(space, config.at, count=1, seed=config.seed, max_batch=rows)
            rng = stream(config.seed, "tuning")
            probes = max(1, rows // 2)
            random_hessian(meter.space, config.at, rng, eta=ETA, epsilon=0.1, max_batch=rows, num_probes=probes)
        free, rows_of = parametrise(config.orthogonal, starting_rows(space, config))
        strengths(space, rows_of(free).detach(), config, stop_after_two())

    def most(space: SearchSpace, config: Loop) -> int:
        return max(config.batch_size * config.rows_per_sample, 2 * probe_count(space.size) * measures_shares(config))

    return Rehearsal(fixed, batches, most)


def measures_shares(config: LoopConfig) -> bool:
    """Return whether the loop measures the diagonal share."""
    return config.orthogonal != "none" and config.share_points > 0


def stop_after_two() -> Callable[[Progress], None]:
    """Return a callable that stops a loop when it is called for the second time."""
    calls: list[Progress] = []

    def on_step(progress: Progress) -> None:
        calls.append(progress)
        if len(calls) == 2:
            progress.stop()

    return on_step
