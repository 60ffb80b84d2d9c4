"""Copy finished run folders to other storage: any address that fsspec knows, like s3://bucket/folder or file:///folder."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from direction_finder.errors import InputError, MissingExtra, Unfinished
from direction_finder.files import CONFIG

EXTRA = "upload"
GIVEN_UP = 3  # failures in a row after which nothing more is tried


class Storage:
    """A folder in other storage, which holds a copy of each run folder.

    Raises InputError for an address that cannot be used, MissingExtra if fsspec is not installed.
    """

    def __init__(self, address: str):
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise MissingExtra("copying runs to other storage", EXTRA) from error
        try:
            self.files, root = url_to_fs(address)
            self.root = root.rstrip("/")
            self.files.invalidate_cache()
            self.files.exists(self.root)
        except Exception as error:  # every kind of storage has errors of its own
            raise InputError(f"`upload` {address}: {_reason(error)}; expected an address that fsspec knows") from error
        self.address = address

    def upload(self, folder: Path) -> None:
        """Copy the files of a run that are missing there or have another size; its configuration comes last.

        Raises Unfinished if that fails.
        """
        try:
            self._copy(folder, folder.name)
        except Exception as error:  # as above
            raise Unfinished(f"{folder} could not be copied to {self.address}: {_reason(error)}") from error

    def upload_files(self, folder: Path) -> None:
        """Copy the files of a folder that are not in a subfolder. Raises Unfinished if that fails."""
        try:
            for path in _files(folder.iterdir()):
                self._put(path, path.name)
        except Exception as error:
            raise Unfinished(f"{folder} could not be copied to {self.address}: {_reason(error)}") from error

    def _copy(self, folder: Path, name: str) -> None:
        there, last = f"{self.root}/{name}", folder / CONFIG
        sizes = self._sizes(there)
        names = {path: path.relative_to(folder).as_posix() for path in _files(folder.rglob("*"))}
        left = [path for path in names if path != last and sizes.get(f"{there}/{names[path]}") != path.stat().st_size]
        same = f"{there}/{CONFIG}" in sizes and self.files.cat_file(f"{there}/{CONFIG}") == last.read_bytes()
        for path in [*left, last] if left or not same else ():
            self._put(path, f"{name}/{names[path]}")

    def _sizes(self, there: str) -> dict[str, int]:
        """Return the sizes of the files there by their names."""
        try:
            return {name: entry["size"] for name, entry in self.files.find(there, detail=True).items()}
        except FileNotFoundError:
            return {}

    def _put(self, path: Path, name: str) -> None:
        there = f"{self.root}/{name}"
        self.files.makedirs(there.rpartition("/")[0], exist_ok=True)
        self.files.put_file(str(path), there)


def _files(paths: Iterable[Path]) -> list[Path]:
    """Return those of the paths that are files, but for locks and temporaries."""
    return sorted(path for path in paths if path.is_file() and not path.name.startswith("."))


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


@contextmanager
def uploading(address: str | None, out: Path) -> Iterator[Callable[[Path], None]]:
    """Yield a function that copies a run folder in the background; wait for all in the end.

    address: where to (None: nothing is copied). out: a folder whose own files are copied in the end. Raises InputError
    for an address that cannot be used, and Unfinished in the end if something could not be copied.
    """
    if address is None:
        yield lambda folder: None
        return
    storage, failures, pool = Storage(address), list[str](), ThreadPoolExecutor(1)

    def tried(copy: Callable[[Path], None], folder: Path) -> None:
        try:
            if len(failures) < GIVEN_UP:
                copy(folder)
        except Unfinished as error:
            failures.append(str(error))

    def upload(folder: Path) -> None:
        pool.submit(tried, storage.upload, folder)

    try:
        yield upload
        pool.submit(tried, storage.upload_files, out).result()
    finally:
        pool.shutdown(cancel_futures=True)
    if failures:
        raise Unfinished(f"{failures[0]}; it is kept here, and repeating the command copies what is missing")
