"""Receive a file over HTTP, one try at a time: resume where the last one broke, and refuse answers that do not fit."""

import queue
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import requests

from direction_finder.errors import InputError

OnDownload = Callable[[int, int], None]
BLOCK = 1 << 16
TIMEOUT = 30.0  # seconds without data
ANSWER = 120.0  # seconds until a server answers, with the look-up of its name and all redirects
WINDOW, SLOWEST = 60.0, 1024  # seconds, and the bytes per second that must arrive in them
LONGEST_PAUSE = 60.0  # seconds that a server can make us wait before the next try
BUSY = (408, 425, 429)  # like 500 and above: the same request may succeed later
RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
NUMBER = re.compile(r"[0-9]{1,18}")
ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')


class Interrupted(Exception):
    """Report that a try failed, and that another one may succeed. pause: the seconds that the server asks to wait."""

    def __init__(self, reason: str, pause: float | None = None):
        super().__init__(reason)
        self.pause = pause


class Told(NamedTuple):
    """Hold what a server says about a whole file: its size, and the SHA-256 that the hub publishes; None: nothing."""

    size: int | None
    sha256: str | None


class Version(NamedTuple):
    """Hold the size and the mark of a version of a file on a server; None: unknown."""

    size: int | None = None
    etag: str | None = None


class Extent(NamedTuple):
    """Hold which bytes of the file an answer contains, `first` to `last` - 1, and the size of the whole file."""

    first: int
    last: int | None
    size: int | None


def resume(url: str, part: Path, largest: int, on_download: OnDownload | None = None) -> Told:
    """Append to `part` what is missing of the file at `url`; return what the server says about the whole file.

    on_download(bytes so far, bytes in all; 0 if unknown) is called as data arrives. Raises Interrupted if another try
    may succeed, and InputError if the server does not send the file, or sends more than `largest` bytes.
    """
    start = part.stat().st_size if part.is_file() else 0
    version = _version(part) if start else Version()
    with _ask(url, _headers(start, version)) as response:
        if start and response.status_code == 416:  # nothing after `start`: the file was complete, or has changed
            whole = _number(response.headers.get("Content-Range", "").rpartition("/")[2])
            if whole != start or not _agree(start, version.size):
                raise _discarded(part, "the file on the server has changed")
            return Told(start, _published(response))
        _check_status(url, response)
        extent = _extent(response, start)
        if extent is None or (extent.first and not _agree(extent.size, version.size)):
            raise _discarded(part, "the server sent another part of the file than it was asked for")
        _check_size(url, part, extent.size or 0, largest)
        _note(part).write_text(f"{extent.size}\n{response.headers.get('ETag')}\n", encoding="utf-8")
        done = _receive(url, response, part, extent, largest, on_download)
        expected = done if extent.last is None else extent.last if extent.size is None else extent.size
        if done > expected:
            raise _discarded(part, f"the server sent {done - expected:,} bytes more than it announced")
        if done < expected:
            raise Interrupted("the connection was cut")
        return Told(extent.size, _published(response))


def _discarded(part: Path, reason: str) -> Interrupted:
    """Delete what was received, so that the next try starts again; return the error that says why."""
    forget(part)
    return Interrupted(reason)


def forget(part: Path) -> None:
    """Delete what was received of a file."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _note(part: Path) -> Path:
    """Return the path of the note on the version of the file that a part is of."""
    return part.with_name(part.name + ".etag")


def _version(part: Path) -> Version:
    """Return what is noted about the version of the file that a part is of."""
    note = _note(part)
    lines = note.read_text(encoding="utf-8", errors="replace").split("\n") if note.is_file() else []
    sizes, etags = ([line for line in lines if kind.fullmatch(line)] for kind in (NUMBER, ETAG))
    return Version(_number(sizes[0]) if sizes else None, etags[0] if etags else None)


def _headers(start: int, version: Version) -> dict[str, str]:
    """Return the headers that ask for the file from byte `start` on, or for all of it if it has changed."""
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if version.etag:
            headers["If-Range"] = version.etag
    return headers


def _ask(url: str, headers: dict[str, str]) -> requests.Response:
    """Return the answer of a server before its body is read. A thread asks, because no timeout bounds all of this."""
    answers: queue.SimpleQueue[requests.Response | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(requests.get(url, headers=headers, stream=True, timeout=TIMEOUT))
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER)
    except queue.Empty as error:
        raise Interrupted(f"no answer within {ANSWER:g} seconds") from error
    if isinstance(answer, Exception):
        raise answer
    return answer


def _check_status(url: str, response: requests.Response) -> None:
    """Raise Interrupted or InputError if the answer is an error of the server."""
    code = response.status_code
    if code in (200, 206):
        return
    said = f"the server says {code} {response.reason}"
    if code >= 500 or code in BUSY:
        pause = _number(response.headers.get("Retry-After"))
        raise Interrupted(said, None if pause is None else min(float(pause), LONGEST_PAUSE))
    raise InputError(f"{url}: {said}; get the file elsewhere")


def _extent(response: requests.Response, start: int) -> Extent | None:
    """Return which bytes an answer contains; None if they do not begin with byte `start`, or the headers disagree."""
    encoded = response.headers.get("Content-Encoding", "identity").lower() != "identity"  # though not asked to
    length = _number(response.headers.get("Content-Length"))
    if response.status_code == 200:
        return Extent(0, None, None) if encoded else Extent(0, length, length)
    match = RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if encoded or not match or int(match[1]) != start:
        return None
    last = int(match[2]) + 1
    return Extent(start, last, _number(match[3])) if length in (None, last - start) else None


def _check_size(url: str, part: Path, size: int, largest: int) -> None:
    """Raise InputError if a file is larger than it can be."""
    if size > largest:
        forget(part)
        raise InputError(f"{url}: {size:,} bytes, expected at most {largest:,}; get the file elsewhere")


def _receive(
    url: str, response: requests.Response, part: Path, extent: Extent, largest: int, on_download: OnDownload | None
) -> int:
    """Write the body of an answer to `part` as it arrives; return the size that `part` has then."""
    done = counted = extent.first
    since = time.monotonic()
    with part.open("ab" if done else "wb") as file:
        while block := response.raw.read1(BLOCK, decode_content=True):
            file.write(block)
            done += len(block)
            _check_size(url, part, done, largest)
            if on_download:
                on_download(done, extent.size or 0)
            if (seconds := time.monotonic() - since) > WINDOW:
                if done - counted < SLOWEST * seconds:
                    raise Interrupted(f"fewer than {SLOWEST:,} bytes per second")
                counted, since = done, time.monotonic()
    return done


def _published(response: requests.Response) -> str | None:
    """Return the SHA-256 that the hub states for large files, before it redirects to where they are."""
    for each in [*response.history, response]:
        if match := re.fullmatch(r'"?([0-9a-f]{64})"?', each.headers.get("X-Linked-ETag", "")):
            return match[1]
    return None


def _agree(size: int | None, other: int | None) -> bool:
    return None in (size, other) or size == other


def _number(text: str | None) -> int | None:
    """Return the number in a header; None if there is none, or something else."""
    return int(text) if text and NUMBER.fullmatch(text.strip()) else None
