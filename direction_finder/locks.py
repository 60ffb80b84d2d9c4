"""Let one process at a time write in a folder."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from direction_finder.errors import InputError
from direction_finder.files import sweep

LOCK = ".lock"  # deleted when the folder is free again


@contextmanager
def locked(folder: str | Path, *, create: bool = False) -> Iterator[None]:
    """Be the only process that writes in a folder; a process that dies frees it.

    create: make the folder if it is missing, and delete it in the end if it is empty. Temporaries that dead processes
    left in it, or in its subfolders, are deleted first. Raises InputError at once if another process has the folder.
    """
    from filelock import FileLock, Timeout

    folder = Path(folder)
    if create:
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    try:
        lock = FileLock(path, timeout=0, is_singleton=False)
        lock.acquire()
    except Timeout as error:
        raise InputError(
            f"{folder}: another process is writing in this folder; wait until it has finished, or stop it"
        ) from error
    try:
        for parent in [folder, *filter(Path.is_dir, folder.iterdir())]:
            sweep(parent)
        yield
    finally:
        with suppress(OSError):  # Windows does not delete open files; an empty lock file does no harm
            path.unlink(missing_ok=True)
        lock.release()
        if create:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def clear_dead(folder: Path) -> None:
    """Delete the lock and the temporaries that a dead process left in a folder."""
    if (folder / LOCK).exists():
        with suppress(InputError), locked(folder):
            pass
