"""Estimate what measurements cost, from a few of their parts that are taken."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from torch import Tensor

from direction_finder.discovery.estimates import Cost
from direction_finder.discovery.metering import Meter, metered
from direction_finder.discovery.peak_memory import PeakMeter
from direction_finder.discovery.tuning import GIB
from direction_finder.progress import Progress
from direction_finder.reports.measures import take
from direction_finder.reports.measures.direction_metrics import MAPPED
from direction_finder.reports.measures.task import Task

TAKEN = 4  # parts of a kind, of which the first also warms up
HESSIANS = "hessian #"  # the kind of parts of `diagonality`


class Part(NamedTuple):
    """Hold a part that was taken: its result, the images computed for it, and seconds."""

    result: Tensor
    images: float
    seconds: float


@dataclass
class Kind:
    """Hold the parts of one kind that were taken. total: how many there are; None: not known yet."""

    parts: list[Part] = field(default_factory=list)
    last: Part | None = None
    total: int | None = None

    @property
    def each(self) -> Part:
        """Return a part with the mean images and seconds of those taken, apart from the first."""
        parts = self.parts[1:] or self.parts
        return Part(
            parts[-1].result,
            sum(part.images for part in parts) / len(parts),
            sum(part.seconds for part in parts) / len(parts),
        )


class Estimator:
    """Stand for the cache of a task: of each kind of parts, a few and the last are taken; others count as much.

    A kind is what keys have in common apart from numbers. This is the task's `on_step` too, which tells how many parts
    there are. images, seconds: of the parts that were not taken.
    """

    def __init__(self, task: Task):
        self.task, self.memory = replace(task, cache=self, on_step=self.on_step), PeakMeter(task.generator.device)
        self.kinds: dict[str, Kind] = {}
        self.kind, self.meter = Kind(), Meter()
        self.images = self.seconds = 0.0

    def cost(self, name: str) -> Cost:
        """Return what one metric would cost, with its figures. What metrics share counts for the first."""
        self.images = self.seconds = 0.0
        self.memory.start()
        began = time.perf_counter()
        with metered(self.task.generator) as self.meter:
            take(self.task, name)
        if name == "diagonality":
            mapped = min(MAPPED, self.task.samples(100))  # for a figure, their Hessians are computed twice more
            self._count(self.kinds[HESSIANS].each, 2 * mapped)
            self.images += mapped
        seconds = time.perf_counter() - began + self.seconds
        peak = max(self.memory.base + self.memory.need(), self.memory.highest)
        return Cost(round(self.meter.images + self.images), seconds, peak / GIB)

    def __call__(self, key: str, take_part: Callable[[], Tensor]) -> Tensor:
        """Return the part `key`, or the result of one like it."""
        name, number = re.sub(r"\b\d+\b", "#", key), key.rpartition(" ")[2]
        kind = self.kind = self.kinds.setdefault(name, Kind())
        if number.isdecimal() and int(number) + 1 == kind.total:
            if kind.last is None:
                kind.last = self._taken(take_part)
                return kind.last.result
            return self._count(kind.last)
        if not number.isdecimal() or len(kind.parts) < TAKEN:
            kind.parts.append(self._taken(take_part))
            return kind.parts[-1].result
        return self._count(kind.each)

    def on_step(self, progress: Progress) -> None:
        """Note how many parts of the present kind there are."""
        self.kind.total = progress.total

    def _taken(self, take_part: Callable[[], Tensor]) -> Part:
        before, began = self.meter.images, time.perf_counter()
        result = take_part()
        return Part(result, self.meter.images - before, time.perf_counter() - began)

    def _count(self, part: Part, times: int = 1) -> Tensor:
        """Count a part that is not taken; return a copy of its result, which takes as much memory."""
        self.images += times * part.images
        self.seconds += times * part.seconds
        return part.result.clone()
