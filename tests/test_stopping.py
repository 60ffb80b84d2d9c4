"""Signals: one clean stop, also while something is imported; those that the parent ignored stay ignored."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from direction_finder.commands.stopping import NUMBERS, Stop, heeded, quietly
from tests.process import finish, start, wait_for

pytestmark = pytest.mark.usefixtures("handlers")


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_stops_and_is_remembered(number, handlers):
    with pytest.raises(KeyboardInterrupt), Stop() as stop:
        signal.raise_signal(number)
    assert stop.number == number
    assert {each: signal.getsignal(each) for each in NUMBERS} == handlers


def test_what_the_parent_ignored_stays_ignored():
    """As `nohup` does with a closed terminal, and a shell with Ctrl-C for what runs in the background."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Stop() as stop:
        signal.raise_signal(signal.SIGHUP)
    assert stop.number is None and signal.SIGHUP not in heeded() and signal.SIGTERM in heeded()


def test_while_the_process_ends_signals_are_ignored():
    with Stop() as stop:
        stop.ignore()
        signal.raise_signal(signal.SIGINT)
    assert stop.number is None


def test_a_thread_catches_no_signals():
    found = []
    thread = threading.Thread(target=lambda: found.append(heeded()))
    thread.start()
    thread.join()
    assert found == [[]]


def test_an_import_that_is_interrupted_says_so(capsys):
    with pytest.raises(SystemExit) as caught, quietly():
        raise KeyboardInterrupt
    assert caught.value.code == 130 and capsys.readouterr().err == "Stopped.\n"


@pytest.mark.parametrize("module", ["click", "direction_finder.commands.render", "torch"])
def test_ctrl_c_while_a_module_is_imported(module):
    """The module raises what an interrupted import may raise: for modules in C, any other error."""
    code = (
        "import builtins, signal, sys\n"
        "plain = builtins.__import__\n"
        "def load(name, *rest):\n"
        f"    if name == {module!r}:\n"
        "        builtins.__import__ = plain\n"
        "        try: signal.raise_signal(signal.SIGINT)\n"
        f"        except KeyboardInterrupt:\n"
        f"            if {module!r} != 'torch': raise\n"
        "        raise ImportError('numpy.core.multiarray failed to import')\n"
        "    return plain(name, *rest)\n"
        "builtins.__import__ = load\n"
        "import importlib\n"
        "find = importlib.import_module\n"
        "def find_one(name, *rest):\n"
        f"    if name == {module!r}: signal.raise_signal(signal.SIGINT)\n"
        "    return find(name, *rest)\n"
        "importlib.import_module = find_one\n"
        "sys.argv = ['direction-finder', 'render', 'grid', '.']\n"
        "from direction_finder.commands import main\n"
        "main()\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 130, result.stderr
    assert result.stdout == "" and result.stderr.strip() == "Stopped."


def ffmpeg_of(folder: Path) -> list[str]:
    """The command lines of encoders that write into a folder."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_text())
        except OSError:  # it has ended
            continue
    return [line for line in lines if "ffmpeg" in line and str(folder) in line]


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_video_that_is_stopped_leaves_nothing(number, run_folder):
    before = sorted(run_folder.rglob("*"))
    process = start("render", "video", run_folder, "--samples", 6, "--seconds", 600)
    wait_for(lambda: bool(ffmpeg_of(run_folder)))
    os.kill(process.pid, number)
    assert finish(process) == 128 + number
    wait_for(lambda: not ffmpeg_of(run_folder), 5)
    assert sorted(run_folder.rglob("*")) == before
