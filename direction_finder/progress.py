"""How a long loop reports: an object per step, to any callable; and bars on stderr, for whoever wants to see them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from tqdm import tqdm

if TYPE_CHECKING:
    from torch import Tensor

Item = TypeVar("Item")


@dataclass
class Progress:
    """One finished step of a loop, handed to `on_step`. unit: what is counted.

    `state()` gives the tensors from which the loop goes on exactly (call it only if you will save them);
    `preview()` draws images (n, 3, H, W) that show how far it is, where there are any;
    `weights()` gives the state dict of the model that would be kept now, where one is trained;
    `stop()` asks the loop to end after this step.
    """

    step: int
    total: int
    phase: str = "learning"
    values: dict[str, float] = field(default_factory=dict)
    state: Callable[[], dict[str, Tensor]] = dict
    preview: Callable[[], Tensor] | None = None
    weights: Callable[[], dict[str, Tensor]] | None = None
    stopped: bool = False
    unit: str = "step"

    def stop(self) -> None:
        self.stopped = True


OnStep: TypeAlias = Callable[[Progress], None]
Reporting: TypeAlias = (
    "bool | OnStep | None"  # what functions take as `progress`: True: bars on stderr; or whoever is told each step
)


class Bars:
    """Shows loops as bars, one a phase: lively in a terminal, a line every half minute in a log file."""

    def __init__(self) -> None:
        self.phase = ""
        self.bar: tqdm | None = None

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, progress: Progress) -> None:
        if self.bar is None or progress.phase != self.phase:
            Bars.__exit__(self)
            self.phase = progress.phase
            self.bar = _bar(progress)
        self.bar.set_postfix({name: f"{value:.4g}" for name, value in progress.values.items()}, refresh=False)
        self.bar.update(progress.step - self.bar.n)
        if progress.step >= progress.total:
            self.bar.close()
            self.bar = None


def _bar(progress: Progress) -> tqdm:
    live = sys.stderr.isatty()
    return tqdm(
        total=progress.total,
        desc=progress.phase,
        unit=progress.unit,
        initial=progress.step,
        dynamic_ncols=live,
        leave=live,
        mininterval=0.2 if live else 30,
        delay=0.5,
    )


@contextmanager
def reporting(progress: Reporting) -> Iterator[OnStep | None]:
    """Give what a loop reports to, for what a user gave as `progress`."""
    if progress is True:
        with Bars() as bars:
            yield bars
    else:
        yield progress or None


def counted(items: Iterable[Item], total: int, phase: str, unit: str, on_step: OnStep | None) -> Iterator[Item]:
    """The same items, each of which is reported when the next one is asked for."""
    for number, item in enumerate(items, start=1):
        yield item
        if on_step:
            on_step(Progress(number, total, phase, unit=unit))


class DownloadBar:
    """Shows a download as a progress bar, which appears with its first bytes."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None

    def __call__(self, done: int, total: int) -> None:
        if self.bar is None or self.bar.total != total:
            self.bar = tqdm(total=total, desc="downloading", unit="B", unit_scale=True, leave=False)
        self.bar.update(done - self.bar.n)
        if done == total:
            self.bar.close()
