"""Turn Ctrl-C, SIGTERM and a closed terminal into a clean stop. This module imports nothing slow, so it comes first."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def heeded() -> list[int]:
    """Return the numbers of the signals that stop this process: not those that its parent told it to ignore."""
    if threading.current_thread() is not threading.main_thread():  # other threads get no signals
        return []
    return [number for number in NUMBERS if signal.getsignal(number) not in (signal.SIG_IGN, None)]


class Stop:
    """Raise KeyboardInterrupt at a signal, and remember its number.

    Code that is interrupted while it is imported may raise another error instead, so the number tells what happened.
    """

    number: int | None = None

    def __enter__(self) -> "Stop":
        self.before = {number: signal.signal(number, self._raise) for number in heeded()}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def ignore(self) -> None:
        """Ignore further signals, because the process is ending."""
        for number in self.before:
            signal.signal(number, signal.SIG_IGN)

    def _raise(self, number: int, _frame: FrameType | None) -> None:
        self.number = number
        raise KeyboardInterrupt


@contextmanager
def quietly() -> Iterator[None]:
    """Exit with "Stopped." if Ctrl-C is pressed while modules are imported."""
    try:
        yield
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        raise SystemExit(128 + signal.SIGINT) from None
