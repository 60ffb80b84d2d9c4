"""What is chosen by measuring, once, before a run begins: precision, and the batch that a memory limit allows."""

import dataclasses
import sys
import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from direction_finder.discovery.configs import EXACT, FAST, HALVES, TunedConfig
from direction_finder.discovery.space import SearchSpace
from direction_finder.errors import InputError
from direction_finder.generators import Generator

LEAST_COSINE = 0.98  # between what half precision and float32 give on one batch; others lie up to 0.01 lower
DTYPES = {"cpu": ("bfloat16",), "mps": ("float16",)}  # what is worth a try; elsewhere both
LEAST_GAIN = 1.1  # half precision must be this many times as fast
LARGEST = 512  # rows
SPARE = 1.1  # how much more memory a row may take than measured

Config = TypeVar("Config", bound=TunedConfig)
Work = Callable[[SearchSpace, Config, int], Tensor]
"""A piece of a method's work that gives the generator so many rows at once, and what it computes."""


def settle(generator: Generator, config: Config, work: Work[Config]) -> tuple[Config, dict[str, Any]]:
    """The configuration with precision and batch decided, and what was measured."""
    config.check(generator)
    measured: dict[str, Any] = {}
    if config.precision == FAST:
        config, measured["precision"] = choose_precision(generator, config, work)
    if config.memory_limit:
        config, measured["memory"] = choose_batch(generator, config, work)
    return config, measured


def choose_precision(
    generator: Generator, config: Config, work: Work[Config], rows: int = 8
) -> tuple[Config, dict[str, Any]]:
    """Half precision from the first stage on that keeps the result, if that is faster than float32.

    Rounding in early stages is what the second differences cannot bear, and most of the work is in late ones: the
    first stage is found by bisection, and the last is always float32.
    """
    rows = min(rows, config.max_batch)
    stages = generator.stage_names[:-1] or generator.stage_names

    def run(precision: str) -> tuple[Tensor, float]:
        tried = dataclasses.replace(config, precision=precision)
        space = SearchSpace(generator, tried)
        start = time.perf_counter()
        result = work(space, tried, rows).flatten().double().cpu()
        return result, time.perf_counter() - start

    run(EXACT)  # warms up
    truth, slow = run(EXACT)
    best, found = EXACT, {"seconds": slow, "times_as_fast": 1.0, "cosine": 1.0}
    for dtype in DTYPES.get(generator.device.type, HALVES):
        cosines: dict[str, float] = {}

        def keeps(stage: str, dtype: str = dtype, cosines: dict[str, float] = cosines) -> bool:
            cosines[stage] = float(cosine_similarity(truth, run(f"{dtype}:{stage}")[0], dim=0))
            return cosines[stage] >= LEAST_COSINE

        first = bisect_left(stages, True, key=keeps)
        if first < len(stages):
            precision = f"{dtype}:{stages[first]}"
            gain = slow / run(precision)[1]
            if gain > max(LEAST_GAIN, found["times_as_fast"]):
                best = precision
                found = {"seconds": slow / gain, "times_as_fast": gain, "cosine": cosines[stages[first]]}
    return dataclasses.replace(config, precision=best), found


def choose_batch(generator: Generator, config: Config, work: Work[Config]) -> tuple[Config, dict[str, Any]]:
    """The largest batch whose peak stays below the limit: the peak is measured at small ones, and grows in proportion.

    Peaks are those of the whole process (resident memory), or of the device's allocator. Raises InputError if the
    limit is too low for the smallest batch.
    """
    space = SearchSpace(generator, config)
    assert config.memory_limit is not None  # `settle` comes here only with one
    limit = config.memory_limit * 2**30
    rows = smallest = getattr(config, "rows_per_sample", 2)
    work(space, config, rows)
    peak = first = _peak(generator.device)
    per_row = 0.0
    while rows < LARGEST and peak + rows * per_row * SPARE <= limit and peak - first < 2**28:
        rows *= 2
        work(space, config, rows)
        peak, before = _peak(generator.device), peak
        per_row = max(per_row, (peak - before) * 2 / rows)
    if peak > limit:
        raise InputError(
            f"memory_limit {config.memory_limit:g} GiB: {rows} rows at once take {peak / 2**30:.2f} GiB already; "
            f"give more, or `max_batch` {smallest} without a limit"
        )
    if per_row:
        rows += int((limit - peak) / (per_row * SPARE))
    rows = min(rows, LARGEST) // smallest * smallest
    measured = {"max_batch": rows, "gib_per_row": per_row / 2**30, "peak_gib": peak / 2**30}
    return dataclasses.replace(config, max_batch=rows), measured


def _peak(device: torch.device) -> int:
    """The most memory taken so far, in bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError as error:
        raise InputError("memory_limit: this system cannot say how much memory was used; give `max_batch`") from error
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
