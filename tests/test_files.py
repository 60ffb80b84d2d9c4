"""Files that are complete or absent, and where the user's folders are."""

import hashlib
import os
from pathlib import Path
from typing import Annotated, TypedDict

import msgspec
import pytest

from direction_finder.errors import InputError
from direction_finder.files import (
    HOST,
    TEMPORARY,
    cache_folder,
    file_sha256,
    read_json,
    replacing,
    settings_folder,
    write_json,
)


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


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        second.write_text("second")
        first.write_text("first")
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]


def test_everything_is_on_the_disk_before_and_after_a_file_takes_its_name(tmp_path, monkeypatch):
    done = []
    for name in ("fsync", "replace"):
        plain = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *given, name=name, plain=plain: (done.append(name), plain(*given)))
    write_json(tmp_path / "a.json", {})
    assert done == ["fsync", "replace", "fsync"]


def test_links_are_replaced_and_not_followed(tmp_path):
    (tmp_path / "other").write_text("mine")
    (tmp_path / "a.json").symlink_to(tmp_path / "other")
    write_json(tmp_path / "a.json", {})
    assert (tmp_path / "other").read_text() == "mine" and not (tmp_path / "a.json").is_symlink()


@pytest.mark.parametrize("path", ["/dev/null", "/dev/stdout", "."])
def test_what_is_no_file_is_not_replaced(path):
    before = os.lstat(path).st_mode, os.lstat(path).st_ino
    with pytest.raises(InputError, match="exists and is not a file"):
        write_json(path, {})
    assert (os.lstat(path).st_mode, os.lstat(path).st_ino) == before


def test_temporaries_of_the_dead_are_deleted_at_the_first_write(tmp_path):
    (tmp_path / f"{TEMPORARY}{HOST}-99999999-0a.png").touch()
    (tmp_path / f"{TEMPORARY}{HOST}-{os.getpid()}-0a.png").touch()
    write_json(tmp_path / "a.json", {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{TEMPORARY}{HOST}-{os.getpid()}-0a.png", "a.json"]


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


class Kind(TypedDict, total=False):
    seed: Annotated[int, msgspec.Meta(ge=0)]
    rows: list[float]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"seed": -1}', "expected int >= 0, at seed"),
        ('{"seed": "1"}', "expected int, got str, at seed"),
        ('{"rows": [1, null]}', r"expected float, got null, at rows\[1\]"),
        ("[]", "expected object, got array"),
        ("[" * 100_000 + "]" * 100_000, "not JSON"),
        ('{"seed": 1e999}', "not JSON"),
        ('{"seed": ' + "9" * 5000 + "}", "not JSON"),
        ('{"a": "\\ud800"}', "not JSON"),
        ('{"seed": NaN}', "expected int, got float, at seed"),
        ("{" + "NaN" * 9, "not JSON"),
    ],
)
def test_json_of_another_type_is_refused_with_the_place(content, words, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(InputError, match=rf"^[^\n]*a\.json: {words}") as caught:
        read_json(path, Kind)
    assert len(str(caught.value)) < 300


def test_json_of_the_right_type_comes_back_unchanged(tmp_path):
    """Also what later versions added, and numbers that earlier ones wrote."""
    write_json(tmp_path / "a.json", {"seed": 1, "later": [1]})
    assert read_json(tmp_path / "a.json", Kind) == {"seed": 1, "later": [1]}
    (tmp_path / "a.json").write_text('{"rows": [1, Infinity]}')
    assert read_json(tmp_path / "a.json", Kind) == {"rows": [1, float("inf")]}


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
