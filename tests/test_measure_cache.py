"""Parts of measures under way: when they are written, what they depend on. See also test_measure.py."""

import dataclasses
import os

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from direction_finder.directions import Directions
from direction_finder.runs import measure_cache
from direction_finder.runs.measure_cache import EVERY, MeasureCache, identity
from tests.planted import planted


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DIRECTION_FINDER_CACHE", str(tmp_path))
    return tmp_path / "measures"


def one() -> torch.Tensor:
    return torch.ones(1)


def test_a_part_is_taken_once():
    taken = []
    with MeasureCache({}) as keep:
        for _ in range(2):
            assert keep("x", lambda: taken.append(1) or one()).tolist() == [1]
    assert taken == [1]


def test_parts_are_written_from_time_to_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(measure_cache.time, "monotonic", lambda: now[0])
    with MeasureCache({}) as keep:
        for key, seconds, written in (
            ("a", EVERY - 1, None),
            ("b", EVERY, {"a", "b"}),
            ("c", 2 * EVERY - 1, {"a", "b"}),
            ("d", 2 * EVERY, {"a", "b", "c", "d"}),
        ):
            now[0] = seconds
            keep(key, one)
            assert (set(load_file(keep.path)) if keep.path.exists() else None) == written


def test_tensors_of_any_layout_are_kept(cache):
    rows = torch.arange(6.0).view(2, 3).mT
    with pytest.raises(KeyboardInterrupt), MeasureCache({}) as keep:
        keep("x", lambda: rows)
        raise KeyboardInterrupt
    with MeasureCache({}) as keep:
        assert torch.equal(keep("x", one), rows)


def test_nothing_is_left_of_a_measure_that_had_no_parts_or_is_done(cache):
    with pytest.raises(KeyboardInterrupt), MeasureCache({}):
        raise KeyboardInterrupt
    assert not cache.exists()
    with MeasureCache({}) as keep:
        keep("x", one)
    assert not cache.exists() or not any(cache.iterdir())


def test_the_same_things_in_another_order_are_the_same():
    assert MeasureCache({"a": 1, "b": [2]}).path == MeasureCache({"b": [2], "a": 1}).path
    assert MeasureCache({"a": 1}).path != MeasureCache({"a": 2}).path


def test_parts_depend_on_generator_directions_and_class():
    generator, directions = planted(4), Directions(torch.eye(4), "random")
    cut = planted(4)
    cut.truncation = 0.5
    given = [
        (generator, directions, None),
        (generator, directions, 1),
        (generator, directions[:2], None),
        (generator, None, None),
        (planted(4, seed=1), directions, None),
        (cut, directions, None),
    ]
    assert len({MeasureCache(identity(*each)).path for each in given}) == len(given)
    renamed = dataclasses.replace(directions, names=("a", None, None, None))
    assert identity(generator, renamed, None) == identity(planted(4), directions, None)


def stopped(parts: dict[str, torch.Tensor], what: dict | None = None) -> MeasureCache:
    """A cache whose measurement was stopped after these parts."""
    with pytest.raises(KeyboardInterrupt), MeasureCache(what or {}) as keep:
        for name, tensor in parts.items():
            keep(name, lambda tensor=tensor: tensor)
        raise KeyboardInterrupt
    return keep


@pytest.mark.parametrize(
    "parts",
    [
        {"x": torch.full((1,), 7.0)},
        {"x": torch.ones(2)},
        {"x": torch.ones(1, dtype=torch.float64)},
        {"x": torch.full((1,), torch.nan)},
        {"y": torch.ones(1)},
    ],
)
def test_parts_that_somebody_changed_are_taken_anew(parts):
    path = stopped({"x": one()}).path
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    save_file(parts, path, metadata=metadata)
    with MeasureCache({}) as keep:
        assert keep.parts == {} and keep("x", lambda: torch.zeros(3)).tolist() == [0, 0, 0]
    assert not path.exists()


@pytest.mark.parametrize("metadata", [None, {"direction_finder": "{}"}, {"direction_finder": "["}])
def test_parts_without_a_checksum_are_taken_anew(metadata):
    path = stopped({"x": one()}).path
    save_file({"x": one()}, path, metadata=metadata)
    assert MeasureCache({}).parts == {}


def test_every_flipped_byte_is_noticed():
    path = stopped({"x": one(), "y": torch.arange(3.0)}).path
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        parts = MeasureCache({}).parts
        assert parts.keys() in (set(), {"x", "y"}), place
        assert not parts or (parts["x"].tolist() == [1] and parts["y"].tolist() == [0, 1, 2]), place


def test_what_is_no_file_is_ignored_and_does_not_hang(cache):
    path = MeasureCache({}).path
    cache.mkdir()
    os.mkfifo(path)
    assert MeasureCache({}).parts == {}
    path.unlink()
    path.mkdir()
    notes: list[str] = []
    with pytest.raises(KeyboardInterrupt), MeasureCache({}, notes.append) as keep:
        keep("x", one)
        raise KeyboardInterrupt
    assert len(notes) == 1 and notes[0].startswith("Parts of this measurement cannot be saved, so it cannot resume (")
    with MeasureCache({}, notes.append) as keep:
        keep("x", one)
    assert len(notes) == 2 and "cannot be deleted" in notes[1]


def test_a_full_disk_costs_no_measurement(monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(measure_cache, "replacing", full)
    monkeypatch.setattr(measure_cache, "EVERY", 0.0)
    notes: list[str] = []
    with MeasureCache({}, notes.append) as keep:
        assert keep("x", one).tolist() == [1] and keep("y", one).tolist() == [1]
    assert len(notes) == 1 and "No space left on device" in notes[0]


def test_two_processes_take_the_same_measurement():
    """The one that is stopped first does not throw away what the other has saved, and both may end in any order."""
    slow = MeasureCache({})
    stopped({"a": one(), "b": one()})
    slow("a", one)
    slow.__exit__(KeyboardInterrupt)
    assert set(MeasureCache({}).parts) == {"a", "b"}
    with MeasureCache({}), MeasureCache({}):
        pass
    assert not slow.path.exists()
