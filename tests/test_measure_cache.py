"""Parts of measures under way: when they are written, what they depend on. See also test_measure.py."""

import dataclasses

import pytest
import torch
from safetensors.torch import load_file

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
