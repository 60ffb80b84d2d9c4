"""Downloads from a server on the loopback interface that misbehaves in the ways servers do."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from direction_finder.errors import InputError
from direction_finder.generators import download, load_generator
from direction_finder.generators.download import BLOCK, fetch

CONTENT = bytes(range(256)) * 4000


class Server(ThreadingHTTPServer):
    """Serves `files`; cuts the connection after `cuts.pop()` bytes as long as there are any."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cuts: list[int] = []
        self.ranges: list[str | None] = []
        self.ignore_ranges = False
        self.etag: str | None = '"one"'

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        body = self.server.files.get(self.path.strip("/"))
        if body is None:
            self.send_error(404)
            return
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and not self.server.ignore_ranges else 0
        if self.headers.get("If-Range", self.server.etag) != self.server.etag:
            start = 0
        if start >= len(body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if self.server.etag:
            self.send_header("ETag", self.server.etag)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        cut = self.server.cuts.pop() if self.server.cuts else len(body)
        self.wfile.write(body[start : start + cut])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        server.files["model.bin"] = CONTENT
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "cache" / "model.bin"


def resumed_near(asked: str | None, cut: int) -> bool:
    """Whether a request resumes at the byte where the connection was cut, or at most a block before."""
    return asked is not None and cut - BLOCK < int(asked.removeprefix("bytes=").rstrip("-")) <= cut


def test_a_download_reports_and_is_checked(server, path):
    seen = []
    digest = hashlib.sha256(CONTENT).hexdigest()
    fetch(server.url("model.bin"), path, sha256=digest, on_download=lambda *numbers: seen.append(numbers))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [child.name for child in path.parent.iterdir()] == ["model.bin"]


def test_a_cut_download_goes_on_where_it_broke(server, path):
    server.cuts = [300_000]
    fetch(server.url("model.bin"), path)
    assert path.read_bytes() == CONTENT
    assert server.ranges[0] is None
    assert resumed_near(server.ranges[1], 300_000)


def test_it_goes_on_at_the_next_call_too(server, path, monkeypatch):
    monkeypatch.setattr(download, "TRIES", 1)
    server.cuts = [300_000]
    with pytest.raises(InputError, match="run again to resume"):
        fetch(server.url("model.bin"), path)
    assert not path.exists()
    fetch(server.url("model.bin"), path)
    assert path.read_bytes() == CONTENT
    assert resumed_near(server.ranges[-1], 300_000)


def test_a_server_without_ranges_starts_again(server, path):
    server.cuts, server.ignore_ranges = [300_000], True
    fetch(server.url("model.bin"), path)
    assert path.read_bytes() == CONTENT


def test_two_versions_are_never_mixed(server, path, monkeypatch):
    monkeypatch.setattr(download, "TRIES", 1)
    server.cuts = [300_000]
    with pytest.raises(InputError):
        fetch(server.url("model.bin"), path)
    server.files["model.bin"], server.etag = CONTENT[::-1], '"two"'
    fetch(server.url("model.bin"), path)
    assert path.read_bytes() == CONTENT[::-1]


def test_a_part_that_was_whole_already_is_kept(server, path):
    path.parent.mkdir()
    path.with_name("model.bin.part").write_bytes(CONTENT)
    fetch(server.url("model.bin"), path)
    assert path.read_bytes() == CONTENT


def test_pages_wrong_bytes_and_missing_files_leave_nothing(server, path):
    server.files["page.bin"] = b"<!DOCTYPE html><html>Quota exceeded</html>"
    for name, options, words in (
        ("page.bin", {}, "web page"),
        ("model.bin", {"sha256": "0" * 64}, "SHA-256"),
        ("none.bin", {}, "404"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            fetch(server.url(name), path, **options)
        assert "\n" not in str(caught.value)
        assert not list(path.parent.glob("*"))


def test_no_server_at_all(server, path):
    url = server.url("model.bin")
    server.server_close()
    with pytest.raises(InputError, match="download failed"):
        fetch(url.replace("127.0.0.1", "127.0.0.1:1").replace(f":{server.server_port}", ""), path)


def test_a_published_biggan_comes_from_a_mirror_then_from_the_cache(server, biggan_folder, tmp_path, monkeypatch):
    """End to end: the download of the weights is cut once; the second load asks the server for nothing."""
    for name in ("config.json", "pytorch_model.bin"):
        server.files[f"biggan-deep-128-{name}"] = (biggan_folder / name).read_bytes()
    monkeypatch.setenv("DIRECTION_FINDER_MIRROR", server.url(""))
    monkeypatch.setenv("DIRECTION_FINDER_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    server.cuts = [200_000, 10_000]  # popped from the end: the config arrives whole, the weights are cut
    first = load_generator("biggan-deep-128")
    asked = len(server.ranges)
    assert resumed_near(server.ranges[-1], 200_000)
    assert load_generator("biggan-deep-128").weights_sha256 == first.weights_sha256
    assert len(server.ranges) == asked
    assert first.weights_sha256 == load_generator(f"biggan-deep:{biggan_folder}").weights_sha256


def test_a_biggan_on_the_hub(server, biggan_folder, tmp_path, monkeypatch):
    for name in ("config.json", "pytorch_model.bin"):
        server.files[f"someone/gan/resolve/main/{name}"] = (biggan_folder / name).read_bytes()
    monkeypatch.setenv("HF_ENDPOINT", server.url(""))
    monkeypatch.setenv("DIRECTION_FINDER_CACHE", str(tmp_path / "cache"))
    assert load_generator("hf:someone/gan").name == "hf:someone/gan"
    asked = len(server.ranges)
    assert load_generator("hf:someone/gan").num_classes == 5
    assert len(server.ranges) == asked
    for spec, words in (("hf:gan", "hf:owner/name"), ("hf:nobody/gan", "404")):
        with pytest.raises(InputError, match=words):
            load_generator(spec)
