"""Define the errors of this package by what the user has to do about them. Every message is one line.

The library puts names of settings in backticks; the commands print them as options.
"""

LONGEST = 4000  # letters of a message; of longer ones, the beginning and the end are shown


class DirectionFinderError(Exception):
    """Report a failure that is not a bug of this package. The commands print it without a traceback and exit with 2."""

    def __str__(self) -> str:
        return one_line(super().__str__())


class InputError(DirectionFinderError, ValueError):
    """Report user errors: the message names the value, says what is expected, and how to correct it."""


class MissingExtra(DirectionFinderError, ImportError):
    """Report that an optional package is not installed."""

    def __init__(self, what: str, extra: str):
        super().__init__(f"{what} needs pip install 'direction-finder[{extra}]'")


class Diverged(DirectionFinderError, ArithmeticError):
    """Report that a training diverged: its losses are no longer finite, or no longer carry information."""


class Unfinished(DirectionFinderError):
    """Report that a run was interrupted before its result was saved; the message says how to resume it."""


def one_line(text: str) -> str:
    """Return a text in one line of printable characters, however names in files are made up; others are escaped."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"
    return "".join(map(_printable, text))


def _printable(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " " if letter.isspace() else letter.encode("unicode_escape").decode()


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out; a smaller batch then helps."""
    words = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    )
