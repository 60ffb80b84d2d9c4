"""A small part of the fault campaign, the same way every time; `make campaign` tries thousands of faults."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from direction_finder.locks import locked
from direction_finder.training import biggan
from tests.faults import crashes, forks, inputs
from tests.faults.campaign import TOGETHER
from tests.faults.forks import Outcome
from tests.faults.scenarios import SCENARIOS, build, moved

CHECKED = [scenario for scenario in SCENARIOS if scenario.name not in ("scenes", "train factors")]  # which take longer
WRITING = {name for group in TOGETHER for name in group}


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    build(folder)
    return folder


@pytest.fixture
def here(monkeypatch) -> Callable[..., Outcome]:
    """Return a function that runs a command in this process; put the environment back afterwards."""
    monkeypatch.setattr(biggan, "MEASURED", 12)
    for name in ("DIRECTION_FINDER_CONFIG", "DIRECTION_FINDER_CACHE"):
        monkeypatch.setenv(name, "set by forks.here")
    monkeypatch.chdir(".")
    return forks.here


@pytest.mark.parametrize("scenario", CHECKED, ids=lambda scenario: scenario.name)
def test_a_crash_at_any_write_loses_nothing(scenario, template, tmp_path):
    """Two or three points of each verb, of which the first is in its first writes and the last in its last."""
    expected = crashes.reference(template, scenario, tmp_path)
    last = expected.writes - 1
    for at in sorted({min(2, last), last // 2, last}):
        assert crashes.crash(template, scenario, at, expected, tmp_path) == [], at


@pytest.mark.parametrize("name", sorted(WRITING))
def test_every_writing_verb_is_refused_while_another_process_has_the_folder(name, template, tmp_path, here):
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == name)
    root = tmp_path / "root"
    moved(template, root)
    folder = next(root / str(part) for part in scenario.arguments if part in ("run", "new", "half", "training"))
    with locked(folder, create=True):
        before = inputs.content(root)
        outcome = here(root, *scenario.arguments)
        assert crashes.refused(outcome) and outcome.clean, outcome
        assert inputs.content(root) == before
    assert here(root, *scenario.arguments).code == 0


@pytest.mark.timeout(300)
def test_bad_input_gets_a_line_and_changes_nothing(template, tmp_path, here):
    extended = tmp_path / "extended"
    moved(template, extended)
    inputs.extend(extended)

    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(st.integers(0, 2**32))
    def check(seed: int) -> None:
        fault, wrong, outcome = inputs.tried(extended, seed, tmp_path, here)
        assert wrong is None, (wrong, fault, outcome)

    check()
