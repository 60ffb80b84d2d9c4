import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY


@pytest.fixture
def record():
    return Directions(
        vectors=torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0)))[0],
        method="hessian",
        config={"steps": 3},
        generator="eyes",
        weights_sha256="ab" * 32,
        class_index=1,
        class_name="blue",
        seed=0,
        layers=(None, (0, 1), None, (2,)),
        names=("zoom", None, None, None),
        scores=(0.5, 0.25, None, None),
        package_version="0.1.0",
    )


def test_what_is_written_is_read(record, tmp_path):
    path = tmp_path / "directions.safetensors"
    record.save(path)
    loaded = Directions.load(path)
    assert torch.equal(loaded.vectors, record.vectors)
    assert loaded.metadata() == record.metadata()
    assert Directions.load(tmp_path).metadata() == record.metadata()  # a run folder
    assert loaded[1].layers == (0, 1)
    assert loaded[0].name == "zoom"
    assert len(loaded) == loaded.dim == 4


def test_directions_are_gone_through_one_by_one(record):
    assert [direction.name for direction in record] == list(record.names)


def test_the_file_is_the_same_bytes_every_time_and_has_one_sorted_key(record, tmp_path):
    paths = [tmp_path / f"{i}.safetensors" for i in range(5)]
    for path in paths:
        record.save(path)
    assert len({path.read_bytes() for path in paths}) == 1
    with safe_open(paths[0], framework="pt") as file:
        metadata = file.metadata()
    assert list(metadata) == [METADATA_KEY]
    content = json.loads(metadata[METADATA_KEY])
    assert list(content) == sorted(content)


def write(path, vectors, **changes):
    base = Directions(vectors=torch.eye(len(vectors), vectors.shape[1]), method="random").metadata()
    metadata = {key: value for key, value in {**base, **changes}.items() if value != "absent"}
    save_file({"vectors": vectors}, path, metadata={METADATA_KEY: json.dumps(metadata)})


@pytest.mark.parametrize(
    ("vectors", "changes", "words"),
    [
        (torch.eye(3) * 2, {}, "unit length"),
        (torch.full((3, 3), float("nan")), {}, "NaN"),
        (torch.tensor([[1.0, 0.0], [0.6, 0.8]]), {}, "orthonormal"),
        (torch.eye(3), {"format": 99}, "format"),
        (torch.eye(3), {"seed": "absent"}, "lacks 'seed'"),
        (torch.eye(3), {"mood": "good"}, "unknown 'mood'"),
        (torch.eye(3), {"names": ["a"]}, "1 entries for 3"),
        (torch.eye(3), {"scores": [1, 2, "high"]}, "scores"),
        (torch.eye(3), {"layers": [[0, "one"], None, None]}, "layers"),
        (torch.eye(3), {"config": 5}, "config"),
    ],
)
def test_everything_in_a_file_is_checked(vectors, changes, words, tmp_path):
    write(tmp_path / "d.safetensors", vectors, **changes)
    with pytest.raises(InputError, match=words):
        Directions.load(tmp_path / "d.safetensors")


def test_files_of_earlier_versions_are_read(tmp_path):
    write(tmp_path / "old.safetensors", torch.eye(3), share="absent")
    assert Directions.load(tmp_path / "old.safetensors").share is None


def test_other_files_are_refused(record, tmp_path):
    save_file({"vectors": torch.eye(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(InputError, match="not a directions file"):
        Directions.load(tmp_path / "foreign.safetensors")
    record.save(tmp_path / "whole.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:-20])
    with pytest.raises(InputError, match="cut short"):
        Directions.load(tmp_path / "cut.safetensors")
    with pytest.raises(InputError, match="no such file"):
        Directions.load(tmp_path / "missing.safetensors")


def test_they_know_what_they_fit(record):
    fits = {"name": "eyes", "dim": 4, "num_layers": 3, "weights_sha256": "ab" * 32}
    record.check_fits(**fits)
    replace(record, weights_sha256=None).check_fits(**{**fits, "weights_sha256": "cd" * 32})
    for change, words in (
        ({"dim": 5}, "dimensions"),
        ({"weights_sha256": "cd" * 32}, "found in"),
        ({"num_layers": 2}, "layer 2"),
    ):
        with pytest.raises(InputError, match=words):
            record.check_fits(**{**fits, **change})


def test_an_index_out_of_range_says_the_range(record):
    with pytest.raises(InputError, match="numbered 0 to 3"):
        record[4]
    with pytest.raises(InputError, match="numbered 0 to 3"):
        record[-1]
