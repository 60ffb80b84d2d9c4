"""Estimate what a search costs, from a few of its points or steps that are measured."""

import dataclasses
import math
import time
from typing import NamedTuple

from direction_finder.discovery.configs import DirectConfig, GanspaceConfig, LoopConfig, SearchConfig
from direction_finder.discovery.diagonal_share import ALLOWANCE
from direction_finder.discovery.loop import starting_rows
from direction_finder.discovery.metering import Meter, metered
from direction_finder.discovery.methods import METHODS
from direction_finder.discovery.peak_memory import PeakMeter
from direction_finder.discovery.rehearsals import measures_shares, stop_after_two
from direction_finder.discovery.search_space import SearchSpace, strengths
from direction_finder.discovery.tuning import GIB
from direction_finder.generators import Generator
from direction_finder.hessians import probe_count
from direction_finder.progress import Progress

MEASURED = 10  # points of a direct method that are measured: enough for all that is done at a point
STEPS = 4  # of a loop
BATCHES = 3  # of samples


class Cost(NamedTuple):
    """Hold what a search costs at most. images: that it computes. gib: the peak of the process, or of the GPU."""

    images: int
    seconds: float
    gib: float

    def __str__(self) -> str:
        figures = self.plain()
        return f"{self.images:,} passes, {figures['minutes']:g} minutes, {figures['gib']:g} GiB"

    def plain(self) -> dict[str, float]:
        """Return the figures as JSON stores them, rounded to what is known of them."""
        return {"passes": self.images, "minutes": float(f"{self.seconds / 60:.2g}"), "gib": float(f"{self.gib:.2g}")}


class _Moment(NamedTuple):
    """Hold how far a search was at a step: seconds since it began, and images computed."""

    step: int
    seconds: float
    images: int


def estimate(generator: Generator, method: str, config: SearchConfig) -> Cost:
    """Return what a search would cost, from a part of it that is carried out now.

    config: after `settle`. Methods that cost little are carried out whole. Direct methods are assumed to use all their
    points. Memory is that of the whole process, with everything that is loaded now.
    """
    space, memory = SearchSpace(generator, config), PeakMeter(generator.device)
    memory.start()
    ends, moments = _carried_out(generator, method, config)
    need = memory.need()
    rehearsal = METHODS[method].rehearsal
    kept, peak = rehearsal.fixed(space, config) if rehearsal else (0, 0)
    total = _total(config)
    images, seconds = float(ends.images), ends.seconds
    if total > ends.step:
        before = moments[-3] if isinstance(config, DirectConfig) else moments[0]  # checks are at every second point
        more = (total - ends.step) / (moments[-1].step - before.step)
        images += more * (moments[-1].images - before.images)
        seconds += more * (moments[-1].seconds - before.seconds)
    if isinstance(config, LoopConfig):
        further = _scored(space, config), _shared(space, config, moments)
        images, seconds = images + sum(each[0] for each in further), seconds + sum(each[1] for each in further)
    return Cost(math.ceil(images), seconds, max(memory.base + max(kept + need, peak), memory.highest) / GIB)


def _total(config: SearchConfig) -> int:
    """Return how many steps a search has, as `Progress` counts them; 0 if it has none that would be left out."""
    if isinstance(config, DirectConfig):
        return config.points
    return (
        config.steps if isinstance(config, LoopConfig) else config.samples if isinstance(config, GanspaceConfig) else 0
    )


def _carried_out(generator: Generator, method: str, config: SearchConfig) -> tuple[_Moment, list[_Moment]]:
    """Carry out the first steps of a search; return how it was in the end and after each of them."""
    if isinstance(config, DirectConfig):
        config = dataclasses.replace(config, keep_going=True)
    most = MEASURED if isinstance(config, DirectConfig) else STEPS if isinstance(config, LoopConfig) else BATCHES
    moments: list[_Moment] = []
    with metered(generator) as meter:
        began = time.perf_counter()

        def on_step(progress: Progress) -> None:
            moments.append(_Moment(progress.step, time.perf_counter() - began, meter.images))
            if len(moments) == most and _total(config):
                progress.stop()

        METHODS[method].find(generator, config, on_step=on_step)
        last = moments[-1].step if moments else 0
        return _Moment(last, time.perf_counter() - began, meter.images), moments


def _scored(space: SearchSpace, config: LoopConfig) -> tuple[float, float]:
    """Return images and seconds of measuring the strengths of directions, from two batches."""
    if not config.score_samples:
        return 0, 0
    meter, seconds = _timed_strengths(space, config)
    images = config.score_samples * (2 * space.size + 1)
    return images, seconds * images / meter.images


def _timed_strengths(space: SearchSpace, config: LoopConfig) -> tuple[Meter, float]:
    with metered(space.generator) as meter:
        began = time.perf_counter()
        strengths(space, starting_rows(space, config), config, stop_after_two())
        return meter, time.perf_counter() - began


def _shared(space: SearchSpace, config: LoopConfig, moments: list[_Moment]) -> tuple[float, float]:
    """Return images and seconds of the Hessians that a loop measures, judging by the seconds of its own gradients."""
    probes = probe_count(space.size)
    passes = 2 * config.steps * config.batch_size * config.rows_per_sample
    count = min(config.share_points, int(ALLOWANCE * passes / (4 * probes))) if measures_shares(config) else 0
    first, last = moments[0], moments[-1]
    each = (last.seconds - first.seconds) / max(1, last.images - first.images)
    return 2 * probes * count, 2 * probes * count * each
