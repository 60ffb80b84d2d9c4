"""Describe errors of code that is not ours in one line: the message, and where it was raised."""

import os
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from direction_finder.errors import InputError, out_of_memory

LONGEST = 300  # characters of a message
LIBRARIES = (Path(torch.__file__).parent, Path(__file__).parent.parent)
STANDARD = Path(sysconfig.get_paths()["stdlib"])


def told(error: BaseException) -> str:
    """Return the type of an error, its message in one line and, if known, the file and line that raised it."""
    try:
        message = " ".join(str(error).split())
    except Exception:  # the error's own __str__ may fail
        message = ""
    if len(message) > LONGEST:
        message = f"{message[:LONGEST]}..."
    where = _place(error)
    return f"{type(error).__name__}{': ' if message else ''}{message}{f' ({where})' if where else ''}"


def _place(error: BaseException) -> str:
    """Return "file.py:12" for the last line outside torch, Python and this package; "" if there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return ""  # its message contains the place
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    places = [(path, line) for path, line in frames if os.path.exists(path) and not _is_library(path)]
    if not places:
        return ""
    path, line = places[-1]
    return f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}:{line}"


def _is_library(path: Path) -> bool:
    standard = path.is_relative_to(STANDARD) and "site-packages" not in path.parts
    return standard or any(path.is_relative_to(folder) for folder in LIBRARIES)


class Enough(BaseException):
    """Leave a forward pass whose rest is not needed; a hook raises it past any `except Exception` of the module."""


class Failed(InputError):
    """Report that the user's code raised an exception; `reason` describes it."""

    def __init__(self, name: str, reason: str):
        super().__init__(f"{name} failed: {reason}")
        self.reason = reason


class NotCallable(InputError):
    """Report that no way to call a module works."""


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put a generator's name before errors; turn everything else that the user's code raises into one line.

    Ctrl-C, `Enough`, and errors that say that memory ran out are raised as they are.
    """
    try:
        yield
    except (Failed, KeyboardInterrupt, Enough):
        raise
    except InputError as error:
        raise InputError(f"{name} {error}") from error
    except BaseException as error:  # SystemExit among them, which would end the program without a word
        if out_of_memory(error):
            raise
        raise Failed(name, told(error)) from error


class Guarded:
    """Call a method of a user's generator under `named`."""

    def __init__(self, name: str, method: Callable[..., Any]):
        self.name, self.method = name, method

    def __call__(self, *given: Any, **settings: Any) -> Any:
        """Return what the method returns."""
        with named(self.name):
            return self.method(*given, **settings)
