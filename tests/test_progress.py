"""Reports of loops: to callables, and as bars on stderr."""

import io

import pytest
import tqdm

from direction_finder.progress import Bars, DownloadBar, Progress, counted, reporting


def test_a_step_can_ask_the_loop_to_end_and_has_no_state_of_its_own():
    progress = Progress(1, 3)
    assert not progress.stopped and progress.state() == {} and progress.preview is None
    progress.stop()
    assert progress.stopped


def test_a_bar_counts_to_the_end_of_its_phase(capsys):
    with Bars() as bars:
        bars(Progress(2, 5, "learning", {"penalty": 0.123456}, unit="sample"))
        bar = bars.bar
        assert (bar.n, bar.total, bar.desc, bar.unit) == (2, 5, "learning", "sample")
        assert bar.initial == 2  # what a resumed loop had already does not count as speed
        assert bar.postfix == "penalty=0.1235"
        bars(Progress(4, 5, "learning"))
        assert bars.bar is bar and bar.n == 4
        bars(Progress(5, 5, "learning"))
        assert bars.bar is None and bar.n == 5 and bar.disable  # closed
    assert capsys.readouterr().out == ""


def test_each_phase_has_a_bar():
    with Bars() as bars:
        bars(Progress(1, 4, "learning"))
        first = bars.bar
        bars(Progress(1, 9, "scoring"))
        assert first.disable and (bars.bar.n, bars.bar.total, bars.bar.desc) == (1, 9, "scoring")
        last = bars.bar
    assert last.disable  # a loop that ended before its time leaves no bar


@pytest.mark.parametrize(("live", "seconds"), [(True, 0.2), (False, 30)])
def test_a_log_file_gets_few_lines(live, seconds, monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: live
    monkeypatch.setattr("sys.stderr", stream)
    with Bars() as bars:
        bars(Progress(1, 4))
        assert (bars.bar.mininterval, bars.bar.leave) == (seconds, live)


def test_reporting_gives_bars_or_what_was_given():
    with reporting(print) as on_step:
        assert on_step is print
    for nothing in (False, None):
        with reporting(nothing) as on_step:
            assert on_step is None
    with pytest.raises(KeyError), reporting(True) as on_step:
        on_step(Progress(1, 4))
        bar = on_step.bar
        raise KeyError
    assert isinstance(bar, tqdm.tqdm) and bar.disable


def test_items_are_counted_when_the_next_is_asked_for():
    seen: list[Progress] = []
    items = counted(iter("ab"), 2, "drawing", "row", seen.append)
    assert next(items) == "a" and not seen
    assert next(items) == "b" and len(seen) == 1
    assert list(items) == []
    assert [(each.step, each.total, each.phase, each.unit) for each in seen] == [
        (1, 2, "drawing", "row"),
        (2, 2, "drawing", "row"),
    ]
    assert list(counted("ab", 2, "drawing", "row", None)) == ["a", "b"]


def test_a_download_bar_appears_with_the_first_bytes():
    show = DownloadBar()
    assert show.bar is None
    show(300, 1000)
    first = show.bar
    assert (first.n, first.total) == (300, 1000) and not first.disable
    show(1000, 1000)
    assert show.bar is first and first.n == 1000 and first.disable
    show(10, 20)  # the next file
    assert show.bar is not first and (show.bar.n, show.bar.total) == (10, 20)
    show.bar.close()
