"""What a command does at each step of a loop: show it, log it, save its state, stop it."""

import json
import signal
import time

import click
from tqdm import tqdm

from direction_finder.commands.options import bar
from direction_finder.commands.runs import Run
from direction_finder.pictures import Row, to_uint8, write_sheet
from direction_finder.progress import Progress

PREVIEWS = "previews"  # in the run folder


class Bars:
    """Shows the progress of a loop as bars, one a phase. `units`: what is counted, where it is not `unit`."""

    def __init__(self, unit: str, units: dict[str, str] | None = None):
        self.unit, self.units = unit, units or {}
        self.phase = ""
        self.bar: tqdm | None = None

    def __enter__(self) -> "Bars":
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, progress: Progress) -> None:
        if progress.phase != self.phase:
            Bars.__exit__(self)
            self.phase = progress.phase
            self.bar = bar(progress.total, progress.phase, self.units.get(self.phase, self.unit), progress.step)
        self.bar.set_postfix({name: f"{value:.4g}" for name, value in progress.values.items()}, refresh=False)
        self.bar.update(progress.step - self.bar.n)


class Recorder(Bars):
    """Shows progress, writes log, state and previews of one phase, and turns Ctrl-C and SIGTERM into a stop after the
    current step. A second Ctrl-C stops at once.

    preview_every: after how many steps `Progress.preview()` is drawn, in rows of `columns`.
    """

    def __init__(self, run: Run, logged: str, save_every: float, *, preview_every: int = 0, columns: int = 8):
        super().__init__("picture", {logged: "step"})
        self.run, self.logged, self.save_every = run, logged, save_every
        self.preview_every, self.columns = preview_every, columns
        self.stopped = False
        self.saved = time.monotonic()
        self.unsaved: Progress | None = None

    def __enter__(self) -> "Recorder":
        self.log = self.run.log.open("a", encoding="utf-8")
        self.before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self._save()
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.log.close()
        super().__exit__()

    def _stop(self, number: int, _frame: object) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True
        click.echo("\nStopping after this step; once more to stop at once.", err=True)

    def __call__(self, progress: Progress) -> None:
        super().__call__(progress)
        if self.stopped:
            progress.stop()
        if progress.phase != self.logged:
            return
        self.log.write(json.dumps({"step": progress.step, **progress.values}) + "\n")
        self.unsaved = progress
        last = self.stopped or progress.step == progress.total
        if last or time.monotonic() - self.saved >= self.save_every:
            self._save()
        if progress.preview and self.preview_every and (last or progress.step % self.preview_every == 0):
            pictures = to_uint8(progress.preview())
            rows = [Row("", pictures[i : i + self.columns]) for i in range(0, len(pictures), self.columns)]
            write_sheet(self.run.folder / PREVIEWS / f"{progress.step:06d}.png", rows)

    def _save(self) -> None:
        if self.unsaved:
            self.log.flush()
            self.run.write_state(self.unsaved.state())
            self.saved, self.unsaved = time.monotonic(), None
