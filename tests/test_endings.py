"""How a command ends: expected errors are one line and exit code 2, all others one line, a log and exit code 1."""

import errno
import os
import sys

import click
import pytest
import torch

from direction_finder.commands import main
from direction_finder.commands.endings import KEPT, ended
from direction_finder.commands.stopping import Stop
from direction_finder.errors import InputError
from direction_finder.files import replacing


@pytest.fixture
def errors(tmp_path, monkeypatch):
    """The folder of the logs."""
    monkeypatch.setenv("DIRECTION_FINDER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "errors"


def printed(error: BaseException, capsys) -> tuple[int, str]:
    """The exit code and the one line that is printed."""
    with Stop() as stop:
        code = ended(error, stop)
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    return code, err.strip()


def raised(error: BaseException) -> BaseException:
    """The error with a traceback."""
    try:
        raise error
    except BaseException as caught:
        return caught


def test_a_bug_is_one_line_and_a_log(errors, capsys):
    code, line = printed(raised(KeyError("x")), capsys)
    (log,) = errors.iterdir()
    assert code == 1
    assert line.startswith("Error: unexpected KeyError: 'x' (test_endings.py:")
    assert line.endswith(f"; this is a bug of direction-finder: please report it with {log}")
    text = log.read_text()
    assert "Traceback" in text and "raise error" in text and sys.version in text and torch.__version__ in text
    assert str(sys.argv) in text


@pytest.mark.parametrize(
    "error", [RecursionError("too deep"), AssertionError(), ValueError("two\nlines"), SystemError("x"), EOFError("end")]
)
def test_any_error_is(error, errors, capsys):
    code, line = printed(raised(error), capsys)
    assert code == 1 and f"unexpected {type(error).__name__}" in line and list(errors.iterdir())


def test_an_error_without_a_text_is(errors, capsys):
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    code, line = printed(raised(Mute()), capsys)
    assert code == 1 and line.startswith("Error: unexpected Mute; this is a bug")


def test_a_line_in_the_package_is_named(errors, capsys):
    try:
        with replacing(errors / "x"):
            raise KeyError("y")
    except KeyError as error:
        _, line = printed(error, capsys)
    assert "unexpected KeyError: 'y' (files.py:" in line or "(test_endings.py:" in line


def test_the_newest_logs_are_kept(errors, capsys):
    errors.mkdir(parents=True)
    for number in range(KEPT + 5):
        (errors / f"20200101-000000-{number:03d}.log").touch()
    printed(raised(KeyError("x")), capsys)
    names = sorted(path.name for path in errors.iterdir())
    assert len(names) == KEPT and names[0] == "20200101-000000-006.log" and names[-1] > "2021"


def test_a_log_that_cannot_be_written_is_left_out(errors, capsys):
    errors.parent.write_text("a file where the folder should be")
    code, line = printed(raised(KeyError("x")), capsys)
    assert code == 1 and line.endswith("this is a bug of direction-finder: please report it")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("steps is 0: set `max_batch`"), "Error: steps is 0: set --max-batch"),
        (click.ClickException("no"), "Error: no"),
        (MemoryError(), "Error: memory ran out; lower --max-batch"),
        (RuntimeError("[x] DefaultCPUAllocator: can't allocate memory: you\nat"), None),
        (OSError(errno.ENOSPC, "No space left on device", "/a/b.png"), "Error: /a/b.png: No space left on device"),
        (OSError(errno.ENOSPC, "No space left on device"), "Error: No space left on device; no file was left"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), "Error: x: Permission denied; no file"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "x"), "Error: x: Is a directory; no file"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "n" * 300), "Error: " + "n" * 300 + ": File name too long"),
        (OSError("the video could not be finished"), "Error: the video could not be finished; no file was left"),
    ],
)
def test_what_is_expected_is_no_bug(error, line, errors, capsys, monkeypatch):
    monkeypatch.setattr("direction_finder.commands.endings.let_go", lambda: None)
    code, text = printed(error, capsys)
    assert code == 2 and text.startswith(line or "Error: [x] DefaultCPUAllocator") and not errors.exists()
    assert line or text.endswith("; lower --max-batch")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort(), ImportError("numpy._core.multiarray")])
def test_a_stop_is_no_bug(error, errors, capsys):
    stop = Stop()
    stop.before = {}
    stop.number = 15 if isinstance(error, ImportError) else None
    assert ended(error, stop) == (143 if stop.number else 130)
    assert capsys.readouterr().err == "Stopped.\n" and not errors.exists()


def test_a_full_disk_names_the_file_that_was_written(tmp_path):
    with pytest.raises(OSError, match="No space left") as caught, replacing(tmp_path / "sheet.png"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as a write does
    assert caught.value.filename == str(tmp_path / "sheet.png") and not list(tmp_path.iterdir())


def test_the_command_line_has_the_last_net(errors, monkeypatch, capsys):
    monkeypatch.setattr("direction_finder.commands.classes.search_classes", lambda *_: 1 / 0)
    with pytest.raises(SystemExit) as caught:
        main(["classes", "cube", "--generator", "shapes-64"])
    out, err = capsys.readouterr()
    assert caught.value.code == 1 and out == "" and err.startswith("Error: unexpected ZeroDivisionError: division by")
    assert len(list(errors.iterdir())) == 1
