"""What is written at each step: every step in the log, states from time to time and at the end, previews when due."""

import json
from collections.abc import Iterable

import pytest
import torch
from PIL import Image

from direction_finder.files import PREVIEWS
from direction_finder.progress import Progress
from direction_finder.runs import recorder
from direction_finder.runs.folder import Run
from direction_finder.runs.recorder import Recorder

TOTAL = 6


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.create(tmp_path, {})


@pytest.fixture
def saved(monkeypatch) -> list[int]:
    """The steps whose state was written, in order."""
    written: list[int] = []
    write = Run.write_state

    def noted(self, state):
        written.append(int(state["step"]))
        write(self, state)

    monkeypatch.setattr(Run, "write_state", noted)
    return written


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """Return a clock whose time changes only when the test sets its only entry."""
    now = [0.0]
    monkeypatch.setattr(recorder.time, "monotonic", lambda: now[0])
    return now


def step(number: int, **given) -> Progress:
    state = {"step": torch.tensor(number)}
    return Progress(number, TOTAL, values={"loss": number / 2}, state=lambda: state, **given)


def steps(record: Recorder, numbers: Iterable[int], **given) -> None:
    for number in numbers:
        record(step(number, **given))


def test_every_step_is_logged_and_the_last_is_saved(run, saved):
    with Recorder(run, "learning", save_every=1000) as record:
        steps(record, range(1, TOTAL + 1))
    assert run.steps() == [{"step": number, "loss": number / 2} for number in range(1, TOTAL + 1)]
    assert saved == [TOTAL] and not record.stopped


def test_a_loop_that_ends_early_is_saved_where_it_ended(run, saved):
    with Recorder(run, "learning", save_every=1000) as record:
        steps(record, range(1, 4))
        assert saved == []
    assert saved == [3]


def test_states_are_saved_when_it_is_time(run, saved, clock):
    with Recorder(run, "learning", save_every=30) as record:
        for number, now in enumerate((10, 29, 30, 59, 60), start=1):
            clock[0] = now
            record(step(number))
    assert saved == [3, 5]


def test_the_log_is_on_disk_as_far_as_the_state(run, saved):
    with Recorder(run, "learning", save_every=0) as record:
        for number in (1, 2):
            record(step(number))
            assert [each["step"] for each in run.steps()][-1] == saved[-1] == number


def test_an_error_saves_nothing_and_closes_the_log(run, saved):
    with pytest.raises(ZeroDivisionError), Recorder(run, "learning", save_every=1000) as record:
        steps(record, (1, 2))
        raise ZeroDivisionError
    assert saved == [] and record.log.closed and len(run.steps()) == 2


def test_a_state_is_computed_only_to_be_saved(run):
    def computed():
        raise AssertionError

    with Recorder(run, "learning", save_every=1000) as record:
        record(Progress(1, TOTAL, state=computed))
        record(step(2))


def test_the_loop_is_told_first_and_may_stop(run, saved):
    def stop(progress: Progress) -> None:
        progress.values["seen"] = 1.0
        if progress.step == 2:
            progress.stop()

    with Recorder(run, "learning", save_every=1000, on_step=stop) as record:
        steps(record, (1,))
        assert not record.stopped
        steps(record, (2,))
        assert record.stopped and saved == [2]
    assert [each["seen"] for each in run.steps()] == [1.0, 1.0]


def test_another_phase_is_told_and_may_stop_but_is_not_logged(run, saved):
    seen = []
    with Recorder(run, "learning", save_every=0, on_step=lambda each: (seen.append(each.phase), each.stop())) as record:
        record(step(1, phase="scoring"))
    assert seen == ["scoring"] and record.stopped and run.steps() == [] and saved == []


def test_a_log_is_gone_on_with(run):
    for numbers in ((1, 2), (3,)):
        with Recorder(run, "learning") as record:
            steps(record, numbers)
    assert [json.loads(line)["step"] for line in run.log.read_text().splitlines()] == [1, 2, 3]


@pytest.mark.parametrize(("every", "drawn"), [(0, []), (2, [2, 4, 5]), (100, [5])])
def test_previews_are_drawn_when_due_and_at_a_stop(every, drawn, run):
    def preview() -> torch.Tensor:
        return torch.zeros(6, 3, 8, 8)

    def stop(progress: Progress) -> None:
        if progress.step == 5:
            progress.stop()

    with Recorder(run, "learning", on_step=stop, preview_every=every, columns=2) as record:
        steps(record, range(1, 6), preview=preview)
    files = sorted((run.folder / PREVIEWS).glob("*"))
    assert [file.name for file in files] == [f"{number:06d}.png" for number in drawn]
    for file in files:
        with Image.open(file) as image:
            assert image.height > image.width  # three rows of two


def test_a_loop_without_previews_draws_none(run):
    with Recorder(run, "learning", preview_every=1) as record:
        steps(record, range(1, TOTAL + 1))
    assert not (run.folder / PREVIEWS).exists()


def test_a_preview_is_there_before_the_state_from_which_its_step_is_not_repeated(run, monkeypatch):
    order = []
    monkeypatch.setattr(Recorder, "_draw", lambda *_: order.append("preview"))
    monkeypatch.setattr(Run, "write_state", lambda *_: order.append("state"))
    with Recorder(run, "training", save_every=0, preview_every=1) as recorder:
        recorder(Progress(1, 2, "training", preview=lambda: torch.zeros(1, 3, 2, 2)))
    assert order == ["preview", "state"]
