"""Files that are whole or not there, and where the user's folders are."""

import hashlib
from pathlib import Path

import pytest

from direction_finder.errors import InputError
from direction_finder.files import cache_folder, file_sha256, read_json, replacing, settings_folder, write_json


def test_a_file_takes_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "a.png"
    with replacing(path) as part:
        assert part.suffix == ".png" and part.parent == path.parent  # writers choose the format by the ending
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there(error, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(error), replacing(path) as part:
        part.write_text("half")
        raise error
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_a_failure_before_anything_was_written_is_told_as_it_is(tmp_path):
    with pytest.raises(KeyError), replacing(tmp_path / "a.txt"):
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_json_is_sorted_and_readable(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": [1, 2.5], "a": "ü"})
    assert path.read_bytes() == '{\n  "a": "ü",\n  "b": [\n    1,\n    2.5\n  ]\n}\n'.encode()
    assert read_json(path) == {"a": "ü", "b": [1, 2.5]}


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe"])
def test_what_is_no_json_is_refused(content, tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.json: not JSON"):
        read_json(path)


@pytest.mark.parametrize("size", [0, 1 << 20, (1 << 20) + 1])
def test_a_hash_is_that_of_all_bytes(size, tmp_path):
    content = (b"0123456789" * (size // 10 + 1))[:size]
    (tmp_path / "a").write_bytes(content)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_the_users_folders_can_be_given(monkeypatch):
    monkeypatch.setenv("DIRECTION_FINDER_CACHE", "/own/cache")
    monkeypatch.setenv("DIRECTION_FINDER_CONFIG", "/own/config")
    assert (cache_folder(), settings_folder()) == (Path("/own/cache"), Path("/own/config"))


@pytest.mark.parametrize(
    ("platform", "settings"),
    [("linux", "/xdg/direction-finder"), ("win32", "/appdata/direction-finder"), ("darwin", "/home/a/Library/")],
)
def test_by_default_they_are_where_the_system_keeps_such(platform, settings, monkeypatch):
    for name in ("DIRECTION_FINDER_CACHE", "DIRECTION_FINDER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    for name, folder in {"XDG_CONFIG_HOME": "/xdg", "XDG_CACHE_HOME": "/xdg/cache", "APPDATA": "/appdata"}.items():
        monkeypatch.setenv(name, folder)
    monkeypatch.setenv("HOME", "/home/a")
    monkeypatch.setattr("sys.platform", platform)
    assert str(settings_folder()).startswith(settings)
    assert cache_folder() == Path("/xdg/cache/direction-finder")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path("/home/a/.cache/direction-finder")
