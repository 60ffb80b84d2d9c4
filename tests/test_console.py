"""Ctrl-C and SIGTERM: the first ends a loop after its step, the second ends it at once; then all is as before."""

import signal

import pytest

from direction_finder.commands.console import Console
from direction_finder.progress import Progress

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


pytestmark = pytest.mark.usefixtures("handlers")


def stopped(console: Console, phase: str = "learning") -> bool:
    progress = Progress(1, 3, phase)
    console(progress)
    return progress.stopped


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_signal_stops_after_the_step(number, capsys):
    with Console() as console:
        assert not stopped(console)
        signal.raise_signal(number)
        assert console.stopped and stopped(console) and stopped(console, "scoring")
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("Stopping after this step; press Ctrl-C again to stop at once.") == 1


@pytest.mark.parametrize("first", NUMBERS)
@pytest.mark.parametrize("second", NUMBERS)
def test_the_second_stops_at_once(first, second, handlers):
    reached = False
    with pytest.raises(KeyboardInterrupt), Console():
        signal.raise_signal(first)
        reached = True
        signal.raise_signal(second)
        reached = False
    assert reached and {number: signal.getsignal(number) for number in NUMBERS} == handlers


@pytest.mark.parametrize("error", [None, ZeroDivisionError])
def test_handlers_are_as_before(error):
    caught: list[int] = []
    for number in NUMBERS:
        signal.signal(number, lambda number, _: caught.append(number))
    try:
        with Console() as console:
            if error:
                raise error
    except ZeroDivisionError:
        pass
    for number in NUMBERS:
        signal.raise_signal(number)
    assert caught == list(NUMBERS) and not console.stopped


def test_a_console_within_a_console_gives_the_signals_back():
    with Console() as outer:
        with Console() as inner:
            signal.raise_signal(signal.SIGINT)
        assert inner.stopped and not outer.stopped
        signal.raise_signal(signal.SIGINT)
        assert outer.stopped


def test_a_signal_that_the_parent_ignored_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Console() as console:
        signal.raise_signal(signal.SIGHUP)
        assert not console.stopped


def test_a_signal_while_a_line_is_printed_is_no_error(monkeypatch):
    """A stream that is being written to when the signal arrives refuses to be written to again."""

    def reentrant(*_: object, **__: object) -> None:
        raise RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>")

    monkeypatch.setattr("direction_finder.commands.console.say", reentrant)
    with Console() as console:
        signal.raise_signal(signal.SIGINT)
        assert console.stopped


def test_its_bar_is_closed():
    with Console() as console:
        console(Progress(1, 3))
        bar = console.bar
        assert not bar.disable
    assert bar.disable  # what tqdm calls a bar that is closed
