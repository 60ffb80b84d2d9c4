"""Turn every error into one line and an exit code, and keep what is needed to report a bug."""

import os
import platform
import signal
import sys
import time
import traceback
from pathlib import Path

import click

from direction_finder.commands.printing import complain, let_go, say, tell
from direction_finder.commands.stopping import Stop
from direction_finder.errors import DirectionFinderError, out_of_memory
from direction_finder.files import cache_folder, replacing
from direction_finder.version import package_version

USER, BUG = 2, 1  # exit codes: user errors, and errors of ours
KEPT = 20  # newest logs of errors


def ended(error: BaseException, stop: Stop) -> int:
    """Print how a command ended, in one line, and return the exit code."""
    stop.ignore()
    try:
        return _ended(error, stop)
    except OSError:  # nobody reads what we print
        let_go()
        return BUG


def _ended(error: BaseException, stop: Stop) -> int:
    if isinstance(error, click.Abort) and error.__cause__:  # click wraps KeyboardInterrupt and EOFError
        error = error.__cause__
    if stop.number or isinstance(error, click.Abort | KeyboardInterrupt):
        tell("Stopped.")
        return 128 + (stop.number or signal.SIGINT)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        say(*error.ctx.get_help().split("\n"))
        return 0
    message = _expected(error)
    complain(message or _unexpected(error))
    if isinstance(error, OSError):
        let_go()
    return USER if message else BUG


def _expected(error: BaseException) -> str | None:
    """Return the message of an error that is not a bug, and None for a bug."""
    if isinstance(error, click.ClickException):
        ctx = getattr(error, "ctx", None)
        return error.format_message() + (f" (see {ctx.command_path} --help)" if ctx else "")
    if isinstance(error, DirectionFinderError):
        return str(error)
    if out_of_memory(error):
        return f"{(str(error) or 'memory ran out').splitlines()[0]}; lower --max-batch"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}; no file was left incomplete"
    return None


def _unexpected(error: BaseException) -> str:
    """Describe a bug in one line, and write everything else to a file that the line names."""
    try:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if f"{os.sep}direction_finder{os.sep}" in frame.filename] or frames
        where = f" ({Path(own[-1].filename).name}:{own[-1].lineno})"
        text = f"unexpected {type(error).__name__}: {error}{where}"
    except Exception:  # an error whose text cannot be made
        text = f"unexpected {type(error).__name__}"
    try:
        return f"{text}; this is a bug of direction-finder: please report it with {_logged(error)}"
    except Exception:  # a full disk, no home folder
        return f"{text}; this is a bug of direction-finder: please report it"


def _logged(error: BaseException) -> Path:
    """Write the traceback, the command and the versions to a new file, and return its path."""
    folder = cache_folder() / "errors"
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    torch = sys.modules.get("torch")
    versions = f"direction-finder {package_version()}, Python {sys.version}, torch {getattr(torch, '__version__', '-')}"
    text = f"{versions}\n{platform.platform()}\n{sys.argv}\n{''.join(traceback.format_exception(error))}"
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")
    for old in sorted(folder.glob("*.log"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path
