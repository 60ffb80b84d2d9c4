"""Give each new run a folder of its own, which no other process writes in."""

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from direction_finder.errors import InputError
from direction_finder.files import CONFIG, DIRECTIONS, LOG, PREVIEWS, TEMPORARY, read_json
from direction_finder.locks import LOCK, clear_dead, locked

OUTPUTS = Path("outputs")
WORTHLESS = {CONFIG, LOG, PREVIEWS, DIRECTIONS}  # without a state, a run that did not finish begins again anyway


@contextmanager
def claimed(out: Path | None, name: str = "") -> Iterator[Path]:
    """Yield an empty folder that only this process writes in: `out`, or the next number in outputs/, with `name`.

    A folder that an earlier process began, and left before there was anything of value in it, is emptied and used. If
    the folder is empty in the end, it is deleted. Raises InputError if `out` holds anything else, or is in use.
    """
    with ExitStack() as stack:
        yield _next(name, stack) if out is None else _claim(out, stack)


def _claim(folder: Path, stack: ExitStack) -> Path:
    """Lock and empty a folder, which may not exist yet."""
    if not (folder / LOCK).exists():  # no lock is put into a folder that holds something else
        _check(folder)
    stack.enter_context(locked(folder, create=True))
    _check(folder)
    empty(folder)
    return folder


def _next(name: str, stack: ExitStack) -> Path:
    """Claim a folder of this name that an earlier process left without anything of value, or else a new number."""
    OUTPUTS.mkdir(exist_ok=True)
    while True:
        numbered = sorted(path for path in OUTPUTS.iterdir() if re.match(r"\d{5}-", path.name))
        for folder in numbered:
            clear_dead(folder)
        last = int(numbered[-1].name[:5]) if numbered else 0
        for folder in [*(path for path in numbered if path.name[6:] == name), OUTPUTS / f"{last + 1:05d}-{name}"]:
            with ExitStack() as own, suppress(InputError):  # it holds a run, or another process has it
                _claim(folder, own)
                stack.push(own.pop_all())
                return folder


def _check(folder: Path) -> None:
    """Raise InputError if a folder holds anything of value."""
    if not folder.is_dir() or holds_nothing(folder):
        return
    if (folder / CONFIG).is_file():
        raise InputError(f"{folder}: contains a run already; resume it with --resume {folder}, or give another --out")
    raise InputError(f"{folder}: exists and is not empty; give a new folder as --out")


def holds_nothing(folder: Path) -> bool:
    """Return whether a folder is empty, or holds only a run that was begun and has neither a state nor an end."""
    names = {path.name for path in folder.iterdir() if not path.name.startswith(TEMPORARY)} - {LOCK}
    if not names:
        return True
    if CONFIG not in names or not names <= WORTHLESS:
        return False
    try:
        config = read_json(folder / CONFIG, dict)
    except InputError:
        return False
    return "direction_finder" in config and "started" in config and config.get("finished") is None


def empty(folder: Path) -> None:
    """Delete what is worthless in a folder, its configuration last: what a crash leaves is recognised by it."""
    for name in sorted(WORTHLESS - {CONFIG}):
        _delete(folder / name)
    _delete(folder / CONFIG)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
