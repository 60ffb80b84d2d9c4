"""One writer a folder: the second is refused at once, and a dead one holds nothing."""

import os
import signal

import pytest

from direction_finder.errors import InputError
from direction_finder.files import HOST, TEMPORARY
from direction_finder.locks import LOCK, locked


def hold(folder) -> int:
    """Fork a process that holds a folder until it is killed; return its number once it does."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        with locked(folder):
            os.write(writing, b"!")
            signal.pause()
    assert os.read(reading, 1) == b"!"
    os.close(reading)
    os.close(writing)
    return process


def test_a_second_process_is_refused_and_a_dead_one_holds_nothing(tmp_path):
    process = hold(tmp_path)
    with pytest.raises(InputError, match="another process is writing in this folder; wait until it has finished"):
        locked(tmp_path).__enter__()
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    with locked(tmp_path):
        assert os.listdir(tmp_path) == [LOCK]
    assert os.listdir(tmp_path) == []


def test_a_folder_is_free_again_after_an_error(tmp_path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), locked(tmp_path):
            raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_what_the_dead_left_is_deleted_and_what_the_living_write_is_not(tmp_path):
    (tmp_path / "previews").mkdir()
    dead = [folder / f"{TEMPORARY}{HOST}-99999999-0a.png" for folder in (tmp_path, tmp_path / "previews")]
    alive = tmp_path / f"{TEMPORARY}{HOST}-{os.getpid()}-0a.png"
    elsewhere = tmp_path / f"{TEMPORARY}00000000-99999999-0a.png"  # of another machine, which may be writing
    old = tmp_path / f"{TEMPORARY}00000000-99999999-0b.png"
    for path in (*dead, alive, elsewhere, old):
        path.touch()
    os.utime(old, (0, 0))
    with locked(tmp_path):
        left = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {alive, elsewhere, tmp_path / LOCK}


def test_a_lock_is_no_way_into_another_file(tmp_path):
    """A received folder may hold a link in place of the lock."""
    (tmp_path / "other").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).symlink_to(tmp_path / "other")
    with pytest.raises((OSError, InputError)):
        locked(tmp_path / "run").__enter__()
    assert (tmp_path / "other").read_text() == "mine"
