"""Report the progress of long loops: one object per step, to any callable, or to bars on stderr."""

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
    """One finished step of a loop, passed to `on_step`. unit: what is counted.

    `state()` returns the tensors from which the loop can be resumed exactly (call it only to save them);
    `preview()` renders images (n, 3, H, W) that show the current state, if the loop has any;
    `weights()` returns the state dict of the model that would be saved now, if a model is trained;
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
        """Ask the loop to end after this step."""
        self.stopped = True


OnStep: TypeAlias = Callable[[Progress], None]
Reporting: TypeAlias = (
    "bool | OnStep | None"  # the type of `progress` arguments: True for bars on stderr, or a callable for each step
)


class Bars:
    """Progress bars, one per phase: live in a terminal, one line every half minute in a log file."""

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
    live = sys.stderr.isatty() or "ipykernel" in sys.modules  # a terminal, or a notebook
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
    """Yield the `on_step` callable for a `progress` argument: bars for True, the callable itself, or None."""
    if progress is True:
        with Bars() as bars:
            yield bars
    else:
        yield progress or None


def counted(items: Iterable[Item], total: int, phase: str, unit: str, on_step: OnStep | None) -> Iterator[Item]:
    """Yield the items unchanged, and report each one when the next one is requested."""
    for number, item in enumerate(items, start=1):
        yield item
        if on_step:
            on_step(Progress(number, total, phase, unit=unit))


class DownloadBar:
    """A progress bar of a download, which appears with the first bytes."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None

    def __call__(self, done: int, total: int) -> None:
        if self.bar is None or self.bar.total != total:
            self.bar = tqdm(total=total, desc="downloading", unit="B", unit_scale=True, leave=False)
        self.bar.update(done - self.bar.n)
        if done == total:
            self.bar.close()
