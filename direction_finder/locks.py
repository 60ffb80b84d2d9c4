"""Let one process at a time write in a folder."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from direction_finder.errors import InputError
from direction_finder.files import sweep

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK = ".lock"  # deleted when the folder is free again


@contextmanager
def locked(folder: str | Path, *, create: bool = False, name: str = LOCK, wait: float = 0) -> Iterator[None]:
    """Be the only process that writes in a folder; a process that dies frees it.

    create: make the folder if it is missing, and delete it in the end if it is empty. name: of the file; processes that
    share the work in a folder take different ones. wait: seconds to wait for another process. Temporaries that dead
    processes left in it, or in its subfolders, are deleted first. Raises InputError if another process has the folder.
    """
    from filelock import FileLock, Timeout

    folder = Path(folder)
    if create:
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / name, timeout=wait, is_singleton=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(
            f"{folder}: another process is writing in this folder; wait until it has finished, or stop it"
        ) from error
    try:
        with released(lock):
            for parent in [folder, *filter(Path.is_dir, folder.iterdir())]:
                sweep(parent)
            yield
    finally:
        if create:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


@contextmanager
def released(lock: "BaseFileLock") -> Iterator[None]:
    """Delete the file of an acquired lock in the end, and release the lock."""
    try:
        yield
    finally:
        with suppress(OSError):  # Windows does not delete open files; an empty lock file does no harm
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def clear_dead(folder: Path) -> None:
    """Delete the lock and the temporaries that a dead process left in a folder."""
    if (folder / LOCK).exists():
        with suppress(InputError), locked(folder):
            pass
