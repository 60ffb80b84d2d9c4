"""Choose settings by measuring, once, before a run begins: the precision, and the batch that fits a memory limit."""

import dataclasses
import math
import time
from bisect import bisect_left
from collections.abc import Callable
from itertools import chain
from typing import Any, Generic, NamedTuple, TypeVar

from torch import Tensor
from torch.nn.functional import cosine_similarity

from direction_finder.discovery.config_bases import EXACT, FAST, HALVES, TunedConfig
from direction_finder.discovery.peak_memory import PeakMeter
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.errors import InputError
from direction_finder.generators import Generator

LEAST_COSINE = 0.98  # between the results of half precision and float32 on one batch; on others up to 0.01 lower
DTYPES = {"cpu": ("bfloat16",), "mps": ("float16",)}  # which to try on a device; on other devices both
LEAST_GAIN = 1.1  # half precision must be this many times as fast
TRIED = 8  # rows at once for choosing the precision
LARGEST = 512  # rows at once
GIB = 2**30
SPARE = 1.1  # safety factor on the memory measured
PIECES = 2**26  # bytes that may be lost besides, at most: glibc keeps freed blocks of up to 32 MiB in pieces
STEEPNESS = 1.2  # the memory of a batch that has not been tried grows at most with this power of its rows
GROWTH = 8  # times as many rows may be tried next
WORTHWHILE = 1.25  # times as many rows are worth another trial
SLACK = 2**24  # bytes added to the least limit: another process needs a little more or less

Config = TypeVar("Config", bound=TunedConfig)
Work = Callable[[SearchSpace, Config, int], Tensor]
"""A piece of a method's work: called with the number of rows that the generator gets at once, it returns a result."""


class Fixed(NamedTuple):
    """Bytes that a run needs whatever its batch is: what it keeps all the time, and the most without a batch."""

    kept: int
    peak: int


@dataclasses.dataclass(frozen=True)
class Rehearsal(Generic[Config]):
    """Hold what a method does that takes memory, see `rehearsals`.

    fixed: does, once, all that does not depend on the batch, and returns what it takes in long runs. batches: computes
    every kind of batch with so many rows at once. most: returns how many rows a run computes at once if it may.
    """

    fixed: Callable[[SearchSpace, Config], Fixed]
    batches: Callable[[SearchSpace, Config, int], None]
    most: Callable[[SearchSpace, Config], int]


def settle(
    generator: Generator, config: Config, work: Work[Config], rehearsal: Rehearsal[Config]
) -> tuple[Config, dict[str, Any]]:
    """Return the configuration with its precision and batch size decided, and the measurements."""
    config.check(generator)
    if config.memory_limit:
        return choose_batch(generator, config, work, rehearsal)
    if config.precision == FAST:
        config, measured = choose_precision(generator, config, work, min(TRIED, config.max_batch))
        return config, {"precision": measured}
    return config, {}


def choose_precision(
    generator: Generator, config: Config, work: Work[Config], rows: int = TRIED
) -> tuple[Config, dict[str, Any]]:
    """Choose half precision from the earliest stage at which the result stays accurate, if it is faster than float32.

    Second differences suffer from rounding in early stages, but most of the work is in late ones. The stage is found by
    bisection; the last stage always uses float32. Returns the configuration and the measurements.
    """
    stages = generator.stage_names[:-1] or generator.stage_names

    def run(precision: str) -> tuple[Tensor, float]:
        candidate = dataclasses.replace(config, precision=precision)
        space = SearchSpace(generator, candidate)
        start = time.perf_counter()
        result = work(space, candidate, rows).flatten().double().cpu()
        return result, time.perf_counter() - start

    run(EXACT)  # warms up
    exact, slow = run(EXACT)
    best, measurements = EXACT, {"seconds": slow, "times_as_fast": 1.0, "cosine": 1.0}
    for dtype in DTYPES.get(generator.device.type, HALVES):
        cosines: dict[str, float] = {}

        def accurate(stage: str, dtype: str = dtype, cosines: dict[str, float] = cosines) -> bool:
            cosines[stage] = float(cosine_similarity(exact, run(f"{dtype}:{stage}")[0], dim=0))
            return cosines[stage] >= LEAST_COSINE

        first = bisect_left(stages, True, key=accurate)
        if first < len(stages):
            precision = f"{dtype}:{stages[first]}"
            gain = slow / run(precision)[1]
            if gain > max(LEAST_GAIN, measurements["times_as_fast"]):
                best = precision
                measurements = {"seconds": slow / gain, "times_as_fast": gain, "cosine": cosines[stages[first]]}
    return dataclasses.replace(config, precision=best), measurements


def choose_batch(
    generator: Generator, config: Config, work: Work[Config], rehearsal: Rehearsal[Config]
) -> tuple[Config, dict[str, Any]]:
    """Choose the precision, if that is asked for, and the largest batch whose peak memory stays below the limit.

    The peak is that of the whole process (resident memory), or of the GPU's allocator. Returns the configuration and
    the measurements. Raises InputError, with the least limit, if the smallest batch does not fit.
    """
    measured: dict[str, Any] = {}
    exact = dataclasses.replace(config, precision=EXACT if config.precision == FAST else config.precision)
    if config.precision == FAST:
        config = exact
        weights = sum(tensor.nbytes for tensor in chain(generator.parameters(), generator.buffers()))
        tried = largest_fit(generator, exact, rehearsal, most=TRIED, extra=weights)  # half precision copies weights
        if tried.fits:
            config, measured["precision"] = choose_precision(generator, exact, work, tried.rows)
    fit = largest_fit(generator, config, rehearsal)
    if not fit.fits and config != exact:
        config, fit = exact, largest_fit(generator, exact, rehearsal)
        measured = {}
    if not fit.fits:
        least = math.ceil((fit.peak + SLACK) / GIB * 20) / 20
        raise InputError(
            f"memory_limit is {config.memory_limit:g} GiB, but {fit.rows} rows at once, the smallest batch, need "
            f"{fit.peak / GIB:.3f} GiB with a margin; give at least {least:g}"
        )
    gib_per_row = fit.need / fit.rows / GIB
    measured["memory"] = {"max_batch": fit.rows, "gib_per_row": gib_per_row, "peak_gib": fit.peak / GIB}
    return dataclasses.replace(config, max_batch=fit.rows), measured


class Fit(NamedTuple):
    """A batch that was tried. need: bytes that it took. peak: bytes at the peak of a run with it, with a margin."""

    rows: int
    fits: bool
    need: int
    peak: float


def largest_fit(
    generator: Generator, config: Config, rehearsal: Rehearsal[Config], *, most: int = LARGEST, extra: int = 0
) -> Fit:
    """Rehearse a run with more and more rows, and return the largest batch that fits, or the smallest of all.

    A batch is tried only if it should fit, judging by the one before. extra: bytes to leave free.
    """
    assert config.memory_limit is not None  # called only with a limit
    limit, space, meter = config.memory_limit * GIB, SearchSpace(generator, config), PeakMeter(generator.device)
    smallest = rows = getattr(config, "rows_per_sample", 2)
    most = min(most, rehearsal.most(space, config)) // smallest * smallest
    meter.start()
    fixed = rehearsal.fixed(space, config)
    best = None
    while True:
        meter.start()
        rehearsal.batches(space, config, rows)
        need = meter.need()
        more = max(with_margin(fixed.kept + need + extra), SPARE * fixed.peak)
        peak = max(meter.highest, meter.base + more)
        fit = Fit(rows, peak <= limit, need, peak)
        if fit.fits:
            free = without_margin(limit - meter.base) - fixed.kept - extra
            best, rows = fit, promising(fit, best, free)
        elif best:
            most, rows = rows - smallest, int(math.sqrt(best.rows * rows))
        rows = min(rows, most) // smallest * smallest
        if not best or rows <= best.rows or (rows < best.rows * WORTHWHILE and rows < most):
            meter.start()
            return best or fit


def promising(fit: Fit, before: Fit | None, free: float) -> int:
    """Return how many rows should fit into `free` bytes, judging by a batch and the one before it."""
    need = max(fit.need, 1)
    rows = fit.rows * min(GROWTH, (max(free, 0) / need) ** (1 / STEEPNESS))
    if need <= min(free, PIECES):  # the margin is as much again
        rows = max(rows, 2 * fit.rows)
    if before:  # part of the need is the same for every batch: count the rest twice
        per_row = 2 * max(need - before.need, 1) / (fit.rows - before.rows)
        rows = max(rows, min(2 * fit.rows, fit.rows + (free - need) / per_row))
    return int(rows)


def with_margin(need: float) -> float:
    """Return bytes measured in a rehearsal, with a margin for what may differ in a run."""
    return SPARE * need + min(need, PIECES)


def without_margin(free: float) -> float:
    """Return the bytes that may be needed if so many are free: the inverse of `with_margin`."""
    return max(free / (SPARE + 1), (free - PIECES) / SPARE)
