"""Show progress bars in a terminal, and stop loops with Ctrl-C without losing anything."""

import signal
from contextlib import suppress
from types import FrameType

from direction_finder.commands.printing import say
from direction_finder.commands.stopping import heeded
from direction_finder.progress import Bars, Progress


class Console(Bars):
    """Show progress, and turn a signal like Ctrl-C into a stop after the step; a second one stops at once."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = False

    def __enter__(self) -> "Console":
        self.before = {number: signal.signal(number, self._stop) for number in heeded()}
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
        with suppress(OSError, RuntimeError):  # a closed terminal, or a signal while a bar is being printed
            say("", "Stopping after this step; press Ctrl-C again to stop at once.", err=True)
