"""What goes wrong, by what has to be done about it. Every message is one line.

The library puts names of settings in backticks; the commands print them as options.
"""


class DirectionFinderError(Exception):
    """Something that is not a fault of this package. The commands print it without a traceback and exit with 2."""


class InputError(DirectionFinderError, ValueError):
    """Something given to us cannot be used: the message names the value, the expectation and the cure."""


class MissingExtra(DirectionFinderError, ImportError):
    """An optional package is not installed."""

    def __init__(self, what: str, extra: str):
        super().__init__(f"{what} needs pip install 'direction-finder[{extra}]'")


class Diverged(DirectionFinderError, ArithmeticError):
    """A training fell apart: its losses are no longer finite, or say nothing."""


class Unfinished(DirectionFinderError):
    """A run was interrupted before it had what is asked for; the message says how to resume it."""


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, which a smaller batch cures."""
    words = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, RuntimeError) and any(each in str(error) for each in words)
