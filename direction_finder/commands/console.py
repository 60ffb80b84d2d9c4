"""Show progress bars in a terminal, and stop loops with Ctrl-C without losing anything."""

import signal
from types import FrameType

import click

from direction_finder.progress import Bars, Progress


class Console(Bars):
    """Show progress, and turn Ctrl-C and SIGTERM into a stop after the current step; a second one stops at once."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = False

    def __enter__(self) -> "Console":
        self.before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        super().__exit__(*error)

    def __call__(self, progress: Progress) -> None:
        """Show the progress of a step, and stop the loop if the user asked for it."""
        super().__call__(progress)
        if self.stopped:
            progress.stop()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True
        click.echo("\nStopping after this step; press Ctrl-C again to stop at once.", err=True)
