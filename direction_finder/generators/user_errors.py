"""Describe errors of code that is not ours in one line: the message, and where it was raised."""

import sysconfig
import traceback
from pathlib import Path

import torch

from direction_finder.errors import InputError

LONGEST = 300  # characters of a message
LIBRARIES = (Path(torch.__file__).parent, Path(__file__).parent.parent)
STANDARD = Path(sysconfig.get_paths()["stdlib"])


def told(error: BaseException) -> str:
    """Return the type of an error, its message in one line and, if known, the file and line that raised it."""
    message = " ".join(str(error).split())
    if len(message) > LONGEST:
        message = f"{message[:LONGEST]}..."
    where = _place(error)
    return f"{type(error).__name__}{': ' if message else ''}{message}{f' ({where})' if where else ''}"


def _place(error: BaseException) -> str:
    """Return "file.py:12" for the last line outside torch, Python and this package; "" if there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return ""  # its message contains the place
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    places = [(path, line) for path, line in frames if path.exists() and not _is_library(path)]
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
