"""Downloads from a server on the loopback interface that misbehaves in the ways servers do."""

import gzip
import hashlib
import io
import json
import shutil
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from pytorch_pretrained_biggan import BigGANConfig

from direction_finder.errors import InputError
from direction_finder.generators import download, load_generator, transfer
from direction_finder.generators.biggan_deep_files import PINS
from direction_finder.generators.download import fetch
from direction_finder.generators.transfer import BLOCK

CONTENT = bytes(range(256)) * 4000
LEFT = object()  # leave a header out


class Server(ThreadingHTTPServer):
    """Serves `files`; cuts the connection after `cuts.pop()` bytes as long as there are any.

    answers: what to do with the next requests instead: a status and its headers. headers: added to each answer, or left
    out of it. shift: bytes by which a range begins too late. pace: seconds between bytes.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cuts: list[int] = []
        self.ranges: list[str | None] = []
        self.ignore_ranges = False
        self.etag: str | None = '"one"'
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.headers: dict[str, object] = {}
        self.shift = 0
        self.pace = 0.0
        self.lock = threading.Lock()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def handle_error(self, request, client_address):
        pass  # a client that goes away is no news


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        asked = self.headers.get("Range")
        with self.server.lock:
            self.server.ranges.append(asked)
            answer = self.server.answers.pop(0) if self.server.answers else None
        if answer:
            self.answer(*answer)
            return
        body = self.server.files.get(self.path.strip("/"))
        if body is None:
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and not self.server.ignore_ranges else 0
        if self.headers.get("If-Range", self.server.etag) != self.server.etag:
            start = 0
        if start and start >= len(body):
            self.answer(416, {"Content-Range": f"bytes */{len(body)}"})
            return
        first = start + self.server.shift if start else 0
        self.answer(
            206 if start else 200,
            {
                **({"ETag": self.server.etag} if self.server.etag else {}),
                **({"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"} if start else {}),
                "Content-Length": str(len(body) - first),
                **self.server.headers,
            },
        )
        cut = self.server.cuts.pop() if self.server.cuts else len(body)
        for byte in body[first : first + cut] if self.server.pace else ():
            self.wfile.write(bytes([byte]))
            threading.Event().wait(self.server.pace)
        if not self.server.pace:
            self.wfile.write(body[first : first + cut])
        self.close_connection = True

    def answer(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            if value is not LEFT:
                self.send_header(name, value)
        self.end_headers()

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


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """The pauses between tries, which take no time."""
    seen: list[float] = []
    monkeypatch.setattr(download, "sleep", seen.append)
    return seen


def resumed_near(asked: str | None, cut: int) -> bool:
    """Whether a request resumes at the byte where the connection was cut, or at most a block before."""
    return asked is not None and cut - BLOCK < int(asked.removeprefix("bytes=").rstrip("-")) <= cut


def refused(server, path, words, name="model.bin", **options) -> str:
    """The message of a download that fails; it is one line, and no file is left at `path`."""
    with pytest.raises(InputError, match=words) as caught:
        fetch(server.url(name), path, **options)
    assert "\n" not in str(caught.value)
    assert not path.exists() and not path.with_name(path.name + ".lock").exists()
    return str(caught.value)


def equal(content: bytes):
    def check(path: Path) -> None:
        if path.read_bytes() != content:
            raise InputError(f"{path}: cut short")

    return check


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


@pytest.mark.parametrize("length", ["abc", "-5", "", LEFT], ids=["abc", "-5", "empty", "left-out"])
def test_a_file_of_unknown_length_is_only_taken_if_something_checks_it(length, server, path):
    server.headers = {"Content-Length": length}
    refused(server, path, "does not say how long")
    fetch(server.url("model.bin"), path, check=equal(CONTENT))
    assert path.read_bytes() == CONTENT


def test_a_cut_file_of_unknown_length_is_not_taken(server, path):
    server.headers = {"Content-Length": LEFT}
    for options in ({"check": equal(CONTENT)}, {"size": len(CONTENT)}, {"sha256": hashlib.sha256(CONTENT).hexdigest()}):
        server.cuts = [300_000]
        refused(server, path, "cut short|300,000 bytes, expected 1,024,000|SHA-256", **options)
        assert not list(path.parent.iterdir())


def test_fewer_bytes_than_promised_are_not_taken(server, path):
    server.headers = {"Content-Length": str(len(CONTENT) + 1)}
    refused(server, path, "download failed")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(download, "TRIES", 1)
        refused(server, path, "the file on the server has changed")
        refused(server, path, "run again to resume")


def test_more_bytes_than_promised_are_not_taken(server, path):
    server.headers = {"Content-Length": str(len(CONTENT) - 1)}
    refused(server, path, "cut short", check=equal(CONTENT))


def test_known_sizes_and_hashes(server, path):
    digest = hashlib.sha256(CONTENT).hexdigest()
    refused(server, path, "expected at most 5; ", size=5)
    refused(server, path, "1,024,000 bytes, expected 1,024,001", size=len(CONTENT) + 1)
    refused(server, path, f"SHA-256 {digest} differs from the published 00000000", sha256="0" * 8)
    fetch(server.url("model.bin"), path, sha256=digest[:8], size=len(CONTENT))
    assert path.read_bytes() == CONTENT


def test_an_endless_file_is_given_up(server, path):
    server.headers = {"Content-Length": LEFT}
    refused(server, path, "expected at most 200,000", check=equal(CONTENT), largest=200_000)
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize("headers", [{}, {"Content-Range": LEFT}, {"Content-Range": "bytes */1024000"}])
def test_a_part_that_was_not_asked_for_starts_again(headers, server, path):
    server.cuts, server.shift, server.headers = [300_000], 0 if headers else 7, headers
    fetch(server.url("model.bin"), path)
    assert path.read_bytes() == CONTENT
    assert resumed_near(server.ranges[1], 300_000) and server.ranges[2] is None


def test_a_compressed_answer_is_unpacked_and_never_continued(server, path):
    server.files["model.bin"] = gzip.compress(CONTENT)
    server.headers, server.cuts = {"Content-Encoding": "gzip"}, [1000]
    fetch(server.url("model.bin"), path, check=equal(CONTENT))
    assert path.read_bytes() == CONTENT


def test_a_busy_server_is_asked_again_later(server, path, pauses):
    server.answers = [
        (429, {"Retry-After": "7"}),
        (503, {"Retry-After": "99999"}),
        (500, {}),
        (502, {"Retry-After": "x"}),
    ]
    fetch(server.url("model.bin"), path)
    assert path.read_bytes() == CONTENT
    assert pauses == [7, transfer.LONGEST_PAUSE, 4 * download.PAUSE, 8 * download.PAUSE]


def test_a_server_that_stays_busy_is_given_up_and_the_part_is_kept(server, path):
    server.cuts, server.answers = [300_000], []
    original = server.files["model.bin"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(download, "TRIES", 1)
        refused(server, path, "run again to resume")
    server.answers = [(503, {})] * download.TRIES
    refused(server, path, r"download failed \(the server says 503 Service Unavailable\); run again to resume")
    fetch(server.url("model.bin"), path)
    assert path.read_bytes() == original and resumed_near(server.ranges[-1], 300_000)


@pytest.mark.parametrize("status", [204, 304, 400, 401, 403, 404, 410, 451])
def test_a_server_that_refuses_is_not_asked_again(status, server, path, pauses):
    server.answers = [(status, {})]
    refused(server, path, f"the server says {status} .*get the file elsewhere")
    assert not pauses and not list(path.parent.iterdir())


def test_a_server_that_is_too_slow_is_given_up(server, path, monkeypatch):
    monkeypatch.setattr(transfer, "WINDOW", 0.05)
    monkeypatch.setattr(download, "TRIES", 2)
    server.pace = 0.01
    refused(server, path, r"download failed \(fewer than 1,024 bytes per second\); run again to resume from model")
    server.pace = 0.0
    fetch(server.url("model.bin"), path)
    assert path.read_bytes() == CONTENT and server.ranges[-1] is not None


def test_a_server_that_never_answers_is_given_up(path, monkeypatch):
    """It accepts the connection, and sends a header without end: each byte comes in time."""
    monkeypatch.setattr(transfer, "ANSWER", 0.1)
    monkeypatch.setattr(download, "TRIES", 2)
    done = threading.Event()

    def drip(listener):
        with listener.accept()[0] as connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not done.wait(0.01):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        with pytest.raises(InputError, match=r"download failed \(no answer within 0\.1 seconds\)"):
            fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/x", path)
        done.set()
        thread.join()


@pytest.mark.parametrize(
    "url", ["model.bin", "file:///model.bin", "http://", "http://[::1", "http://" + "x" * 70 + "/a"]
)
def test_what_is_not_an_address(url, path, pauses):
    with pytest.raises(InputError, match=r"not an address of a file|download failed") as caught:
        fetch(url, path)
    assert "\n" not in str(caught.value) and not list(path.parent.iterdir())


def test_a_mark_of_the_version_that_is_damaged_is_ignored(server, path):
    path.parent.mkdir()
    path.with_name("model.bin.part").write_bytes(CONTENT[:1000])
    path.with_name("model.bin.part.etag").write_bytes(b"\xff\r\nX: y")
    fetch(server.url("model.bin"), path)
    assert path.read_bytes() == CONTENT and server.ranges == ["bytes=1000-"]
    assert [child.name for child in path.parent.iterdir()] == ["model.bin"]


def test_a_file_that_is_there_is_replaced_only_if_it_is_damaged(server, path):
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    fetch(server.url("model.bin"), path, check=equal(CONTENT))
    assert not server.ranges
    path.write_bytes(b"damaged")
    fetch(server.url("model.bin"), path, check=equal(CONTENT))
    assert path.read_bytes() == CONTENT and len(server.ranges) == 1
    path.write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"404.*") as caught:
        fetch(server.url("none.bin"), path, check=equal(CONTENT))
    assert path.read_bytes() == b"damaged" and "\n" not in str(caught.value)
    server.answers = [(500, {})] * download.TRIES
    with pytest.raises(InputError, match=r"download failed .* in place of the one there \(cut short\)"):
        fetch(server.url("model.bin"), path, check=equal(CONTENT))


def test_the_hash_that_the_hub_publishes_is_checked(server, path):
    server.headers = {"X-Linked-ETag": f'"{"0" * 64}"'}
    refused(server, path, "SHA-256 .* differs from the published 0000")
    server.headers = {"X-Linked-ETag": f'"{hashlib.sha256(CONTENT).hexdigest()}"'}
    server.answers = [(302, {"Location": "/model.bin", "X-Linked-ETag": f'"{"1" * 64}"'})]
    refused(server, path, "SHA-256 .* differs from the published 1111", name="linked.bin")
    fetch(server.url("model.bin"), path)
    assert path.read_bytes() == CONTENT


def test_only_one_of_several_downloads_a_file(server, path):
    server.files["model.bin"], server.pace = CONTENT[:50], 0.002
    failures = []

    def one():
        try:
            fetch(server.url("model.bin"), path, check=equal(CONTENT[:50]))
        except InputError as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and server.ranges == [None]
    assert [child.name for child in path.parent.iterdir()] == ["model.bin"]


def test_a_download_without_progress_is_not_waited_for(server, path, monkeypatch):
    monkeypatch.setattr(download, "WAIT", 0.02)
    path.parent.mkdir()
    with (
        FileLock(path.with_name("model.bin.lock"), is_singleton=False),
        pytest.raises(InputError, match=r"another process .* for 0\.02 seconds") as caught,
    ):
        fetch(server.url("model.bin"), path)
    assert "\n" not in str(caught.value) and not server.ranges


def test_a_killed_download_resumes_and_frees_the_file(server, path):
    server.pace = 0.001
    code = "import sys; from pathlib import Path; from direction_finder.generators.download import fetch; "
    code += "fetch(sys.argv[1], Path(sys.argv[2]))"
    process = subprocess.Popen([sys.executable, "-c", code, server.url("model.bin"), str(path)])
    part = path.with_name("model.bin.part")
    while not part.is_file() or not part.stat().st_size:
        assert process.poll() is None
        threading.Event().wait(0.01)
    process.kill()
    process.wait()
    received, server.pace = part.stat().st_size, 0.0
    fetch(server.url("model.bin"), path)
    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={received}-"]


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


@pytest.fixture
def mirror(server, tmp_path, monkeypatch) -> Path:
    """A mirror and a hub on the server; the folder of the cache."""
    monkeypatch.setenv("DIRECTION_FINDER_MIRROR", server.url(""))
    monkeypatch.setenv("HF_ENDPOINT", server.url(""))
    monkeypatch.setenv("DIRECTION_FINDER_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "cache"


def publish(server, folder, weights: bytes | None = None, config: bytes | None = None) -> None:
    """Serve a model as biggan-deep-128 and as hf:someone/gan."""
    files = {"config.json": config, "pytorch_model.bin": weights}
    for name, content in files.items():
        content = (folder / name).read_bytes() if content is None else content
        server.files[f"biggan-deep-128-{name}"] = server.files[f"someone/gan/resolve/main/{name}"] = content


SPECS = ["biggan-deep-128", "hf:someone/gan"]


def cached(mirror: Path, spec: str) -> Path:
    return mirror / spec.replace("hf:", "hf/")


def other_network() -> bytes:
    """Good weights of another network."""
    file = io.BytesIO()
    torch.save(torch.nn.Linear(2, 2).state_dict(), file)
    return file.getvalue()


def old_format(content: bytes) -> bytes:
    file = io.BytesIO()
    torch.save(torch.load(io.BytesIO(content)), file, _use_new_zipfile_serialization=False)
    return file.getvalue()


@pytest.mark.parametrize("spec", SPECS)
def test_only_a_model_that_can_be_loaded_comes_into_the_cache(spec, server, mirror, biggan_folder):
    good = (biggan_folder / "pytorch_model.bin").read_bytes()
    config = json.loads((biggan_folder / "config.json").read_text())
    for files, words in (
        ({"config": b"{}"}, "missing required field"),
        ({"config": json.dumps({**config, "channel_width": 10**9}).encode()}, "channel_width"),
        ({"config": b"[" * 100_000}, "not JSON"),
        ({"config": b"x" * (1 << 25)}, "expected at most"),
        ({"weights": good[:-1]}, "damaged|cut short"),
        ({"weights": good + b"x"}, "goes on after the end"),
        ({"weights": old_format(good) + b"x"}, "goes on after the end"),
        ({"weights": b"no weights"}, "not a torch file"),
        ({"weights": b""}, "empty"),
        ({"weights": b"<html>Quota exceeded</html>"}, "web page"),
        ({"weights": other_network()}, "weight .* is missing"),
    ):
        publish(server, biggan_folder, **files)
        with pytest.raises(InputError, match=words) as caught:
            load_generator(spec)
        assert "\n" not in str(caught.value)
        assert not [path.name for path in cached(mirror, spec).iterdir() if path.name != "config.json"]
    publish(server, biggan_folder, weights=old_format(good))
    assert load_generator(spec).num_classes == 5


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("name", ["config.json", "pytorch_model.bin"])
def test_a_damaged_file_in_the_cache_is_downloaded_again_once(name, spec, server, mirror, biggan_folder):
    publish(server, biggan_folder)
    load_generator(spec)
    for content in (b"<html></html>", (biggan_folder / name).read_bytes()[:-50]):
        (cached(mirror, spec) / name).write_bytes(content)
        server.ranges.clear()
        assert load_generator(spec).num_classes == 5
        assert server.ranges == [None]
        assert (cached(mirror, spec) / name).read_bytes() == (biggan_folder / name).read_bytes()


def test_files_in_the_working_directory_are_never_replaced(server, mirror, biggan_folder):
    publish(server, biggan_folder)
    own = Path("biggan-deep-128")
    shutil.copytree(biggan_folder, own)
    (own / "pytorch_model.bin").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"pytorch_model\.bin: not a torch file"):
        load_generator("biggan-deep-128")
    assert (own / "pytorch_model.bin").read_bytes() == b"mine" and not server.ranges
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DIRECTION_FINDER_CACHE", ".")  # the working directory is the cache
        with pytest.raises(InputError, match="not a torch file"):
            load_generator("biggan-deep-128")
    assert (own / "pytorch_model.bin").read_bytes() == b"mine" and not server.ranges


def test_published_hashes_hold_for_a_mirror_too(server, mirror, biggan_folder):
    layers = [[False, 16, 16], [True, 16, 16], [False, 16, 16], [True, 16, 8], [False, 8, 8], [True, 8, 8]]
    layers += [[False, 8, 8], [True, 8, 4], [False, 4, 4], [True, 4, 2], [False, 2, 2], [True, 2, 1]]
    config = BigGANConfig.from_dict({"output_dim": 256, "layers": layers}).to_json_string().encode()
    assert hashlib.sha256(config).hexdigest() == PINS["biggan-deep-256"]["config.json"].sha256
    server.files["biggan-deep-256-config.json"] = (biggan_folder / "config.json").read_bytes()
    with pytest.raises(InputError, match=r"config\.json: \d+ bytes, expected 715"):
        load_generator("biggan-deep-256")
    server.files["biggan-deep-256-config.json"] = config
    server.files["biggan-deep-256-pytorch_model.bin"] = (biggan_folder / "pytorch_model.bin").read_bytes()
    with pytest.raises(InputError, match=r"pytorch_model\.bin: [\d,]+ bytes, expected 234,411,737"):
        load_generator("biggan-deep-256")
    assert [path.name for path in (mirror / "biggan-deep-256").iterdir()] == ["config.json"]


NAMES = ["/x", "..", "../..", "./x", "x/.", "a/..", "a/", "/a/b", "a/b/c", "a b/c", "a/b?c", "a/b#c", "a/b\n", "a\\b/c"]
NAMES += ["-a/b", "a/b-", "a/.b", "a/b..c", "a/b--c", "é/b", "a/" + "b" * 97, "a/%2e%2e", "a/b\0"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_the_hub_cannot_have(name, server, mirror):
    with pytest.raises(InputError, match="expected hf:owner/name") as caught:
        load_generator(f"hf:{name}")
    assert "\n" not in str(caught.value)
    assert not server.ranges and not mirror.exists()
