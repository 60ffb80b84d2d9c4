"""Files of raw measurements: whole and fitting together, or refused in one line."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY
from direction_finder.reports.measures import METRICS, layouts, take
from direction_finder.reports.measures.raw import Raw, raw_path, read_raw, write_raw
from direction_finder.reports.measures.task import Choices, Task
from tests.planted import planted

RECORD = {"name": "x", "low": 0.0, "high": 1.0, "circular": False, "choices": []}


def origin(**changes) -> dict:
    task = Task(planted(4), Directions(torch.eye(4), "random"), choices=Choices(samples=3))
    return {**task.origin, **changes}


def effects(**settings) -> Raw:
    """Readings of one factor in three samples along two directions."""
    given = {"factors": [RECORD], "varied": ["x"], "step": 1.0, "factor_network": {}, **settings}
    return Raw({"base": torch.zeros(3, 1), "moved": torch.zeros(2, 2, 3, 1)}, given, origin())


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "raw" / "factors.safetensors"


def test_they_are_read_as_they_were_written(path):
    raw = effects()
    assert write_raw(path, raw, layouts.FACTORS) == path.stat().st_size
    again = read_raw(path, layouts.FACTORS)
    assert again.settings == raw.settings and again.origin == raw.origin and again.seed == 0
    assert again.tensors.keys() == raw.tensors.keys() and again.count(layouts.FACTORS) == 3
    assert all(torch.equal(again.tensors[name], tensor) for name, tensor in raw.tensors.items())


@pytest.mark.parametrize("name", ["activeness", "diagonality", "share"])
def test_the_report_is_the_same_to_the_last_digit(name, tmp_path):
    task = Task(planted(4), Directions(torch.eye(4).flip(0), "random"), choices=Choices(samples=5))
    found = take(task, name)
    metric = METRICS[name]
    path = raw_path(tmp_path, metric.layout)
    found.save_raw(path)
    assert path.parent.name == "raw" and metric.score(read_raw(path, metric.layout)) == found.report


def test_every_byte_counts(path):
    write_raw(path, effects(), layouts.FACTORS)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(InputError) as caught:
            read_raw(path, layouts.FACTORS)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    path.write_bytes(whole[:-1])
    with pytest.raises(InputError, match="cut short"):
        read_raw(path, layouts.FACTORS)


def test_hand_edited_settings_are_noticed(path):
    write_raw(path, effects(), layouts.FACTORS)
    with safe_open(path, "pt") as file:
        metadata = json.loads(file.metadata()[METADATA_KEY])
    metadata["origin"]["seed"] = 7
    save_file(effects().tensors, path, metadata={METADATA_KEY: json.dumps(metadata)})
    with pytest.raises(InputError, match=r"damaged \(its checksum is wrong\); run `measure` without `again`$"):
        read_raw(path, layouts.FACTORS)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (effects(step=0.0), "settings: expected float > 0.0, at step"),
        (effects(varied=["y"]), "no readings of y"),
        (effects(varied=[]), "no readings of any factor"),
        (effects(factors=[RECORD] * 2), r"base is \(3, 1\) of torch.float32; expected \(samples, factors\) of"),
        (effects(factors=[{"name": "x"}]), "object missing required field low"),
        (dataclasses.replace(effects(), origin={}), "its metadata: object missing required field about"),
        (dataclasses.replace(effects(), origin=origin(seed=-1)), "expected int >= 0, at origin.seed"),
        (dataclasses.replace(effects(), tensors={"base": torch.zeros(3, 1)}), "holds base; expected base, moved"),
    ],
)
def test_what_does_not_fit_is_refused_although_its_checksum_is_right(raw, words, path):
    write_raw(path, raw, layouts.FACTORS)
    with pytest.raises(InputError, match=words) as caught:
        read_raw(path, layouts.FACTORS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "moved",
    [
        torch.zeros(2, 2, 4, 1),  # other samples than base
        torch.zeros(2, 3, 3, 1),
        torch.zeros(2, 2, 3),
        torch.zeros(0, 2, 3, 1),
        torch.zeros(2, 2, 3, 1, dtype=torch.complex64),
        torch.zeros(2, 2, 3, 1, dtype=torch.float64),
    ],
)
def test_shapes_and_types_must_fit(moved, path):
    raw = effects()
    write_raw(path, dataclasses.replace(raw, tensors={**raw.tensors, "moved": moved}), layouts.FACTORS)
    with pytest.raises(InputError, match="moved is"):
        read_raw(path, layouts.FACTORS)


def test_one_sample_has_no_spread(path):
    raw = Raw({"lengths": torch.ones(1)}, {"features": "x", "epsilon": 1e-4, "place": "end"}, origin())
    write_raw(path, raw, layouts.PPL)
    with pytest.raises(InputError, match=r"lengths is \(1,\)"):
        read_raw(path, layouts.PPL)


def test_those_of_another_metric_are_refused(path):
    write_raw(path, effects(), layouts.FACTORS)
    with pytest.raises(InputError, match="not the raw measurements of ppl"):
        read_raw(path, layouts.PPL)
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(InputError, match="not the raw measurements of factors"):
        read_raw(path, layouts.FACTORS)


def test_every_metric_says_what_its_raw_measurements_hold():
    assert {metric.layout.file for metric in METRICS.values()} == {*METRICS, "features"} - {"fid", "kid"}
    assert METRICS["fid"].layout is METRICS["kid"].layout
    assert all("samples" in shape for shape in (next(iter(m.layout.shapes.values())) for m in METRICS.values()))
