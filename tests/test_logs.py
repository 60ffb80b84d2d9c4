"""The log of a run: its entries, a last line that was cut short, and one line for anything else."""

from pathlib import Path

import pytest

from direction_finder.errors import InputError
from direction_finder.reports import logs
from direction_finder.reports.logs import read_log


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "log.jsonl"


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", []),
        ('{"step": 1, "loss": 0.5}\n', [1]),
        ('{"step": 1}\n{"step": 2}\n', [1, 2]),
        ('{"step": 1}\n{"step": 2, "lo', [1]),  # killed while it wrote
        ('{"step": 1}\n{"step": 2', [1]),
        ('{"step": 1, "loss": NaN}\n', [1]),
    ],
)
def test_entries_are_read_up_to_a_line_that_was_cut_short(text, steps, log):
    log.write_text(text)
    assert [entry["step"] for entry in read_log(log)] == steps


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2: not JSON"),
        ("", "line 2: not JSON"),
        ("[1]", "line 2: expected object, got array"),
        ("3", "line 2: expected object, got int"),
        ('{"step": "2"}', "line 2: expected float, got str"),
        ('{"step": true}', "line 2: expected float, got bool"),
        ('{"step": 2, "loss": [1]}', "line 2: expected float, got array"),
        ('{"step": 2, "loss": 1e999}', "line 2: not JSON"),
        ('{"loss": 1.0}', "line 2: no step"),
        ('{"step": ' + "[" * 5000 + "}", "line 2: not JSON"),
    ],
)
def test_any_other_line_is_refused(line, words, log):
    log.write_text(f'{{"step": 1}}\n{line}\n{{"step": 3}}\n')
    with pytest.raises(InputError, match=rf"log.jsonl: {words}") as caught:
        read_log(log)
    assert "\n" not in str(caught.value)


def test_a_log_without_end_is_not_read(log, monkeypatch):
    monkeypatch.setattr(logs, "LARGEST", 10)
    log.write_text('{"step": 1}\n')
    with pytest.raises(InputError, match="larger than"):
        read_log(log)
    with pytest.raises(InputError, match="no such file"):
        read_log(log.with_name("other.jsonl"))
