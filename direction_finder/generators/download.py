"""Download files: resume where a download broke, and never leave a page of HTML in place of weights."""

from collections.abc import Callable
from pathlib import Path

import requests

from direction_finder.errors import InputError
from direction_finder.files import file_sha256
from direction_finder.generators.weights import looks_like_html

TRIES = 5
TIMEOUT = 30  # seconds without data
BLOCK = 1 << 16  # bytes that a cut connection can lose


def fetch(
    url: str,
    path: Path,
    *,
    sha256: str | None = None,
    on_download: Callable[[int, int], None] | None = None,
) -> None:
    """Download `url` to `path`. A cut download resumes where it broke, at once (5 tries) or at the next call.

    on_download(bytes so far, bytes in all; 0 if unknown) is called as data arrives.
    Raises InputError if the server does not send the file, sends a web page, or the SHA-256 differs.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    reason: object = None
    for _ in range(TRIES):
        try:
            if _continue(url, part, on_download):
                break
            reason = "the connection was cut"
        except requests.RequestException as error:
            reason = error
    else:
        raise InputError(
            f"{url}: download failed ({reason}); run again to resume from {part.name}, or put the file at {path}"
        )
    with part.open("rb") as file:
        head = file.read(64)
    if looks_like_html(head):
        part.unlink()
        raise InputError(f"{url}: the server sent a web page, not the file; get it elsewhere and put it at {path}")
    if sha256 and (actual := file_sha256(part)) != sha256:
        part.unlink()
        raise InputError(f"{url}: SHA-256 {actual} differs from the published {sha256}; the file was discarded")
    part.replace(path)


def _continue(url: str, part: Path, on_download: Callable[[int, int], None] | None) -> bool:
    """Append to `part` what is missing of the file; return whether it is complete."""
    version = part.with_name(part.name + ".etag")
    start = part.stat().st_size if part.is_file() else 0
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if version.is_file():
            headers["If-Range"] = version.read_text()
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == 416:  # nothing after `start`: the file was already complete, or has changed
            whole = response.headers.get("Content-Range", "").rpartition("/")[2] == str(start)
            version.unlink(missing_ok=True)
            if not whole:
                part.unlink()
            return whole
        if response.status_code in (401, 403, 404, 410):
            raise InputError(f"{url}: the server says {response.status_code} {response.reason}; get the file elsewhere")
        response.raise_for_status()
        if response.status_code != 206:
            start = 0
        if etag := response.headers.get("ETag"):
            version.write_text(etag)
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else 0
        done = start
        with part.open("ab" if start else "wb") as file:
            for block in response.iter_content(BLOCK):
                file.write(block)
                done += len(block)
                if on_download:
                    on_download(done, total)
    whole = not total or done == total
    if whole:
        version.unlink(missing_ok=True)
    return whole
