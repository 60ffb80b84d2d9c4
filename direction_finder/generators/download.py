"""Download files. Only a file that passes every check takes its place; a broken download resumes where it broke."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import NamedTuple

import requests
import urllib3
from filelock import FileLock, Timeout

from direction_finder.errors import InputError
from direction_finder.files import file_sha256
from direction_finder.generators.transfer import Interrupted, OnDownload, Told, forget, resume
from direction_finder.generators.weights import looks_like_html
from direction_finder.locks import released

TRIES = 5
PAUSE = 0.25  # seconds before the second try; each further pause is twice as long
WAIT = 300.0  # seconds that another process may download the same file without progress
LARGEST = 8 << 30  # bytes; a generator needs a tenth of it


class Known(NamedTuple):
    """Hold what is known about a file: see `fetch`."""

    sha256: str | None
    size: int | None
    check: Callable[[Path], object] | None

    def problem(self, path: Path) -> str | None:
        """Return, in words, why a file is not the one that is wanted; None if it passes all checks."""
        size = path.stat().st_size
        if self.size is not None and size != self.size:
            return f"{size:,} bytes, expected {self.size:,}"
        if self.sha256 and not (actual := file_sha256(path)).startswith(self.sha256):
            return f"SHA-256 {actual} differs from the published {self.sha256}"
        try:
            if self.check:
                self.check(path)
        except InputError as error:
            return str(error).removeprefix(f"{path}: ")
        return None


def fetch(
    url: str,
    path: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    check: Callable[[Path], object] | None = None,
    largest: int = LARGEST,
    on_download: OnDownload | None = None,
) -> None:
    """Download `url` to `path`, unless a file that passes all checks is already there; any other file is replaced.

    A broken download resumes where it broke, after a pause (5 tries) or at the next call. Several processes can
    download one file at once: one of them does, the others wait for it.

    Args:
        sha256, size: the published SHA-256, or the first digits of it, and the number of bytes, where they are known.
        check: a function that reads the file at a path, and raises InputError if it is not what is expected.
        largest: the number of bytes after which a download is given up.
        on_download: called with (bytes so far, bytes in all; 0 if unknown) as data arrives.

    Raises InputError if the server does not send the file, sends a web page, or the file does not pass a check.
    """
    known = Known(sha256, size, check)
    if path.is_file() and known.problem(path) is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with _alone(path, part):
        damage = known.problem(path) if path.is_file() else "no file"
        if damage is None:
            return
        advice = f"put the file at {path}" + (f" in place of the one there ({damage})" if path.is_file() else "")
        told = _received(url, part, largest if size is None else size, advice, on_download)
        if problem := _problem(part, known._replace(sha256=sha256 or told.sha256), told):
            forget(part)
            raise InputError(f"{url}: {problem}; it was discarded: get it elsewhere, and {advice}")
        part.replace(path)
        forget(part)


def _problem(part: Path, known: Known, told: Told) -> str | None:
    """Return why a received file is not the one that is wanted; None if it is."""
    with part.open("rb") as file:
        if looks_like_html(file.read(64)):
            return "the server sent a web page, not the file"
    if told.size is None and known == Known(None, None, None):
        return "the server does not say how long the file is, so that it may be cut short"
    return known.problem(part)


def _received(url: str, part: Path, largest: int, advice: str, on_download: OnDownload | None) -> Told:
    """Bring `part` to its end in at most `TRIES` tries; return what the server says about the file."""
    reason, pause = "", PAUSE
    for attempt in range(TRIES):
        if attempt:
            sleep(pause)
        pause = PAUSE * 2**attempt
        try:
            return resume(url, part, largest, on_download)
        except InputError:
            raise
        except Interrupted as error:
            reason, pause = str(error), pause if error.pause is None else error.pause
        except ValueError as error:
            raise InputError(f"{url}: not an address of a file ({_line(error)})") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException) as error:
            reason = _line(error)
    kept = f"run again to resume from {part.name}, or " if part.is_file() else ""
    raise InputError(f"{url}: download failed ({reason}); {kept}{advice}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _alone(path: Path, part: Path) -> Iterator[None]:
    """Be the only process that downloads a file; wait for another one as long as it makes progress."""
    lock = FileLock(path.with_name(path.name + ".lock"), is_singleton=False)
    while not lock.is_locked:
        before = _size(part)
        try:
            lock.acquire(timeout=WAIT)
        except Timeout as error:
            if _size(part) == before:
                raise InputError(
                    f"{path}: another process has been downloading this file for {WAIT:g} seconds without progress; "
                    "stop it, and try again"
                ) from error
    with released(lock):
        yield


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0
