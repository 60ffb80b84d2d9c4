"""The file of directions: both formats, and what is in it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from direction_finder.directions import Directions
from direction_finder.directions_file import TENSORS
from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY
from direction_finder.generators import load_generator
from tests.conftest import call

GOLDEN = Path(__file__).parent / "golden"


def raw(path: Path) -> dict:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()[METADATA_KEY])


def test_files_of_format_1_are_read_with_the_new_names(tmp_path):
    path = GOLDEN / "directions-format-1.safetensors"  # `learn --method joint` of direction-finder 0.1.0
    before, record = raw(path), Directions.load(path)
    assert before["format"] == 1 and before["method"] == "joint" and record.method == "hessian-direct"
    after = json.loads(json.dumps(record.metadata()))
    for name, value in before.items():
        assert after[name] == value or name in ("format", "method"), name
    assert {name: after[name] for name in after.keys() - before.keys()} == {
        "scale": 1.0, "numbers": list(range(24)), "space": None, "groups": None, "curvature": None, "probe_class": None,
    }  # fmt: skip
    again = tmp_path / "again.safetensors"
    record.save(again)
    assert raw(again)["format"] == 2 and Directions.load(again) == record


def test_files_of_format_2_are_read():
    record = Directions.load(GOLDEN / "directions-format-2.safetensors")
    assert (record.method, record.space, record.names[0], record.seed) == ("random", "z", "shift", 3)
    assert record.probe.latents.shape == (1, 12) and record.probe.image.shape == (3, 16, 16)
    assert record.probe.class_index is None
    assert load_generator("clevr-1fov").deviation(record.probe) < 1e-3
    assert load_generator("clevr-simple").deviation(record.probe) > 0.02


def test_a_probe_is_kept_and_has_the_class(tmp_path, dcgan_file):
    generator = load_generator(f"dcgan:{dcgan_file}", num_classes=3)
    for chosen, expected in ((2, 2), (None, 0)):
        probe = generator.probe(chosen)
        assert probe.class_index == expected and generator.deviation(probe) < 1e-6
        Directions(torch.eye(6), "test", probe=probe).save(tmp_path / "d.safetensors")
        again = Directions.load(tmp_path / "d.safetensors").probe
        assert all(torch.equal(getattr(again, name), getattr(probe, name)) for name in ("latents", "image"))
    other = load_generator(f"dcgan:{dcgan_file}", num_classes=3).probe(1)
    assert not torch.equal(other.image, probe.image)


def test_groups_are_the_layers_of_the_parts():
    shapes, clevr = load_generator("shapes-64").outline, load_generator("clevr-1fov").outline
    assert shapes.groups == {"coarse": [0, 1, 2], "mid": [3, 4, 5, 6], "fine": [7, 8, 9]} and clevr.groups is None


def test_directions_of_other_latents_are_refused():
    record = Directions(torch.eye(6), "test", space="w")
    record.check_fits(name="a", dim=6, num_layers=1, weights_sha256="", space="w")
    with pytest.raises(InputError, match="the directions are of w, but the latents of a are z"):
        record.check_fits(name="a", dim=6, num_layers=1, weights_sha256="", space="z")


def test_what_a_newer_version_adds_is_refused(tmp_path):
    about = {**Directions(torch.eye(3), "test").metadata(), "curvature": [1.0]}
    save_file({"vectors": torch.eye(3)}, tmp_path / "d.safetensors", metadata={METADATA_KEY: json.dumps(about)})
    with pytest.raises(InputError, match="curvature"):
        Directions.load(tmp_path / "d.safetensors")


def test_check_compares_the_probe_with_the_generator(run_folder):
    facts = json.loads(call("info", run_folder, "--check", "--json").stdout)
    assert facts["probe"]["deviation"] < 1e-6 and facts["problems"] == []
    record = Directions.load(run_folder)
    spoilt = replace(record.probe, image=record.probe.image + 0.5)
    replace(record, probe=spoilt).save(run_folder / "directions.safetensors")
    facts = json.loads(call("info", run_folder, "--check", "--json").stdout)
    assert facts["probe"]["deviation"] == pytest.approx(0.5, abs=1e-5)
    assert "renders the probe of these directions differently" in facts["problems"][0]
    assert set(TENSORS) == {"vectors", "probe_latents", "probe_image"}
