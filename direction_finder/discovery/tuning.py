"""Choose settings by measuring, once, before a run begins: the precision, and the batch that fits a memory limit."""

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
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.errors import InputError
from direction_finder.generators import Generator

LEAST_COSINE = 0.98  # between the results of half precision and float32 on one batch; on others up to 0.01 lower
DTYPES = {"cpu": ("bfloat16",), "mps": ("float16",)}  # which to try on a device; on other devices both
LEAST_GAIN = 1.1  # half precision must be this many times as fast
LARGEST = 512  # rows at once
SPARE = 1.1  # safety factor on the memory measured per row

Config = TypeVar("Config", bound=TunedConfig)
Work = Callable[[SearchSpace, Config, int], Tensor]
"""A piece of a method's work: called with the number of rows that the generator gets at once, it returns a result."""


def settle(generator: Generator, config: Config, work: Work[Config]) -> tuple[Config, dict[str, Any]]:
    """Return the configuration with its precision and batch size decided, and the measurements."""
    config.check(generator)
    measurements: dict[str, Any] = {}
    if config.precision == FAST:
        config, measurements["precision"] = choose_precision(generator, config, work)
    if config.memory_limit:
        config, measurements["memory"] = choose_batch(generator, config, work)
    return config, measurements


def choose_precision(
    generator: Generator, config: Config, work: Work[Config], rows: int = 8
) -> tuple[Config, dict[str, Any]]:
    """Choose half precision from the earliest stage at which the result stays accurate, if it is faster than float32.

    Second differences suffer from rounding in early stages, but most of the work is in late ones. The stage is found by
    bisection; the last stage always uses float32. Returns the configuration and the measurements.
    """
    rows = min(rows, config.max_batch)
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


def choose_batch(generator: Generator, config: Config, work: Work[Config]) -> tuple[Config, dict[str, Any]]:
    """Choose the largest batch whose peak memory stays below the limit.

    The peak is measured for small batches and extrapolated linearly. It is that of the whole process (resident memory),
    or of the GPU's allocator. Returns the configuration and the measurements. Raises InputError if the limit is too low
    for the smallest batch.
    """
    space = SearchSpace(generator, config)
    assert config.memory_limit is not None  # `settle` calls this only with a limit
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
            f"raise the limit, or set `max_batch` {smallest} without a limit"
        )
    if per_row:
        rows += int((limit - peak) / (per_row * SPARE))
    rows = min(rows, LARGEST) // smallest * smallest
    measured = {"max_batch": rows, "gib_per_row": per_row / 2**30, "peak_gib": peak / 2**30}
    return dataclasses.replace(config, max_batch=rows), measured


def _peak(device: torch.device) -> int:
    """Return the peak memory use so far, in bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError as error:
        raise InputError("memory_limit: this system does not report memory use; set `max_batch` instead") from error
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
