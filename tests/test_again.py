"""Raw measurements of a run, from which every metric is computed again without its generator."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import direction_finder as df
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.metrics.factor_network import FactorNetwork
from direction_finder.reports.measures import METRICS
from direction_finder.reports.measures.again import measure_again
from direction_finder.samples import Samples
from direction_finder.scenes import make
from tests.conftest import NUM_CLASSES, call

NEEDED = [word for name in METRICS if name != "fidelity" for word in ("--metric", name)]


@pytest.fixture(scope="module")
def measured(tmp_path_factory, dcgan_file) -> Path:
    """A run, beside a copy of the weights, in which every metric of a run was measured but fidelity."""
    home = tmp_path_factory.mktemp("measured")
    weights = shutil.copy(dcgan_file, home / "weights.pth")
    data = make("shapes", home / "data", num=4, resolution=16, seed=0, workers=1)
    FactorNetwork(data.factors, 16).save(home / "factors.safetensors")  # untrained, which reads something too
    arguments = ("--num-classes", NUM_CLASSES, "--class", 1, "--method", "coordinates", "--out", home / "run")
    assert call("learn", "--generator", f"dcgan:{weights}", *arguments).exit_code == 0
    given = ("--samples", 4, "--seed", 3, "--real", data.folder, "--factor-network", home / "factors.safetensors")
    result = call("measure", home / "run", *NEEDED, *given)
    assert result.exit_code == 0, result.stderr
    weights.unlink()
    return home / "run"


@pytest.fixture
def run(measured, tmp_path) -> Path:
    return shutil.copytree(measured, tmp_path / "run")


@pytest.fixture
def no_image(monkeypatch):
    monkeypatch.setattr(Generator, "__call__", lambda *_: pytest.fail("an image was rendered"))


def contents(folder: Path, *names: str) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names}


@pytest.mark.usefixtures("no_image")
def test_every_report_and_the_page_are_the_same_without_the_generator(measured, run):
    assert call("render", "grid", run).exit_code == 2  # the generator cannot be loaded
    names = [name for name in METRICS if name != "fidelity"]
    written = [*(f"{name}.json" for name in names), "factors.svg", "diagonality.svg", "activeness.svg", "index.html"]
    for name in written:
        (run / name).unlink()
    result = call("measure", run, "--again", *NEEDED)
    assert result.exit_code == 0, result.stderr
    assert contents(run, *written) == contents(measured, *written)
    printed = json.loads(call("measure", run, "--again", *NEEDED, "--json").stdout)[str(run)]
    assert printed == {name: json.loads((measured / f"{name}.json").read_text()) for name in names}


def test_figures_that_need_images_and_raw_measurements_are_left_as_they_are(run):
    kept = ["penalty.png", *(f"raw/{path.name}" for path in (run / "raw").iterdir())]
    assert len(kept) == 9  # fid and kid share their features
    (run / "penalty.png").write_bytes(b"kept")
    before = contents(run, *kept)
    assert call("measure", run, "--again", "--metric", "diagonality").exit_code == 0
    assert contents(run, *kept) == before


def test_directions_are_named_again_as_they_are_called_now(run):
    named = call("measure", run, "--again", "--metric", "factors", "--name")
    assert named.exit_code == 0, named.stderr
    names = json.loads((run / "factors.json").read_text())["names"]
    assert list(Directions.load(run).names) == names
    Directions.load(run).named(0, "zoom").save(run / "directions.safetensors")
    found = measure_again(run, "activeness")
    assert found.report["direction_names"][0] == "zoom" and "direction 0 zoom" in str(found)


def test_settings_that_are_the_same_may_be_given(run):
    index = call("measure", run, "--again", "--metric", "paths", "--samples", 4, "--seed", 3, "--class", "class 1")
    assert index.exit_code == 0, index.stderr
    assert measure_again(run, "fid", samples=4, seed=3, class_name=1).report["seed"] == 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"samples": 5}, "measured at 4 samples, not 5;"),
        ({"seed": 0}, "measured with seed 3, not 0;"),
        ({"class_name": "2"}, "measured for class 1, not class 2;"),
        ({"class_name": "zebra"}, "measured for class 1, not class zebra;"),
        ({"samples": Samples(torch.zeros(4, 1, 6))}, "measured at other samples than those in the file;"),
        ({"samples": 5, "seed": 0}, "measured at 4 samples, not 5 and measured with seed 3, not 0;"),
    ],
)
def test_other_settings_are_refused(given, words, run):
    with pytest.raises(InputError) as caught:
        measure_again(run, "factors", **given)
    assert f"factors.safetensors: {words} run `measure` without `again`" in str(caught.value)


def test_other_directions_and_weights_are_refused(run):
    record = Directions.load(run)
    replace(record, vectors=record.vectors.flip(0)).save(run / "directions.safetensors")
    with pytest.raises(InputError, match="measured along other directions; run `measure` without `again`"):
        measure_again(run, "share")
    assert measure_again(run, "ppl").report["samples"] == 4  # which measures no directions
    replace(record, weights_sha256="0" * 64).save(run / "directions.safetensors")
    with pytest.raises(InputError, match="measured in other weights of the generator;"):
        measure_again(run, "ppl")


def test_what_cannot_be_computed_again_is_one_line(run, tmp_path):
    shutil.rmtree(run / "raw")
    for arguments, words in [
        ((run,), "no raw measurements of factors, which versions before 0.3 did not save; run measure without --again"),
        (("shapes-64",), "shapes-64: not a run folder or directions file, which --again needs"),
        ((tmp_path,), "not a run folder"),
        ((run, "--max-batch", 4), "--max-batch has no effect with --again, which computes no images: leave it out"),
        ((run, "--device", "cpu"), "--device has no effect with --again"),
    ]:
        result = call("measure", *arguments, "--again", "--metric", "factors")
        assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1, result.stderr
        assert words in result.stderr.replace("`", "")
    with pytest.raises(InputError, match=r"^metric 'beauty': expected one of factors, alignment, "):
        measure_again(run, "beauty")


def test_from_python_by_a_directions_file(tmp_path):
    """Raw measurements are saved and read beside a file too; samples of a file are known by their hash."""
    generator = df.load_generator("clevr-1fov")
    directions = df.find(generator, "coordinates", score_samples=0)[:2]
    directions.save(tmp_path / "two.safetensors")
    samples = generator.samples(3, seed=1)
    found = df.measure(generator, directions, "activeness", samples=samples)
    assert found.save_raw(tmp_path / "raw" / "activeness.safetensors") == (
        (tmp_path / "raw" / "activeness.safetensors").stat().st_size
    )
    again = measure_again(tmp_path / "two.safetensors", "activeness", samples=samples)
    assert again.to_dict() == found.to_dict() and str(again) == str(found)
    with pytest.raises(InputError, match="measured at 3 samples of a file, not 3;"):
        measure_again(tmp_path / "two.safetensors", "activeness", samples=3)
