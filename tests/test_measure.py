"""The way from renders to a page of scores: factor network, `measure`, figures, `page`."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from direction_finder import datasets
from direction_finder.datasets import Dataset, Images, read_image, read_images
from direction_finder.directions import Directions
from direction_finder.errors import InputError, MissingExtra
from direction_finder.figures import heat_map
from direction_finder.generators import Generator
from direction_finder.images import as_images
from direction_finder.metrics import reference
from direction_finder.metrics.factor_network import FactorNetwork, accuracy, fit, read_all
from direction_finder.metrics.features import lite0
from direction_finder.metrics.reference import Reference, choice
from direction_finder.reports.table import table
from direction_finder.runs.measure_cache import MeasureCache
from direction_finder.scenes import make
from tests.conftest import call


@pytest.fixture(scope="module")
def renders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measure")
    return [
        make("shapes", folder / str(seed), num=num, resolution=16, seed=seed, workers=1)
        for seed, num in ((0, 400), (1, 100))
    ]


@pytest.fixture(scope="module")
def network_file(renders, tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "factors.safetensors"
    result = call("train", "factors", renders[0].folder, renders[1].folder, "--epochs", 25, "--out", path)
    assert result.exit_code == 0, result.stderr
    return path


@pytest.fixture(scope="module")
def generator(renders, tmp_path_factory):
    folder = tmp_path_factory.mktemp("generator") / "run"
    small = ["--z-dim", 6, "--channel-width", 4, "--discriminator-width", 4, "--batch-size", 8]
    assert call("train", "biggan", renders[1].folder, "--steps", 1, "--out", folder, *small).exit_code == 0
    return f"biggan-deep:{folder / 'generator'}"


@pytest.fixture
def measured(generator, tmp_path):
    folder = tmp_path / "run"
    learned = call("learn", "--generator", generator, "--class", "cube", "--method", "coordinates", "--out", folder)
    assert learned.exit_code == 0, learned.stderr
    return folder


def test_the_network_learns_to_read(renders, network_file):
    network = FactorNetwork.load(network_file)
    found = accuracy(network, renders[1])
    assert min(found["x"], found["y"], found["hue"]) > 0.6
    told = network.about["held_out"]
    assert told["num"] == 100 and told["accuracy"]["hue"] == pytest.approx(found["hue"], abs=0.01)
    assert network.about["trained_on"]["num"] == 400


def test_training_is_deterministic_and_judged_on_the_held_out(renders):
    one, two = (fit(renders[1], renders[1], epochs=1) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    assert not torch.equal(one.out.weight, fit(renders[1], renders[1], epochs=1, seed=1).out.weight)


def test_values_are_in_the_factors_units(renders, network_file):
    network = FactorNetwork.load(network_file)
    read = read_all(network, as_images(torch.from_numpy(renders[1].images())), batch=33)
    assert set(read) == {"class", "x", "y", "size", "hue", "light"} and len(read["x"]) == 100
    assert read["hue"].min() >= 0 and read["hue"].max() < 1
    assert np.corrcoef(read["x"], renders[1].values["x"])[0, 1] > 0.8
    with pytest.raises(InputError, match="images of 32 pixels"):
        network.read(torch.zeros(1, 3, 32, 32))


def test_other_files_are_refused(tmp_path, network_file):
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("no")
    for path in (tmp_path / "other.safetensors", tmp_path / "text.safetensors", tmp_path / "none"):
        with pytest.raises(InputError, match=r"factor network|no such file|not a readable"):
            FactorNetwork.load(path)


def test_sets_of_different_kinds_are_refused(renders, tmp_path):
    other = make("clevr-1fov", tmp_path / "other", num=2, resolution=16, seed=0, workers=1)
    with pytest.raises(InputError, match="its factors are not those"):
        fit(renders[0], other)


def test_measure_and_page(measured, network_file):
    result = call("measure", measured, "--metric", "factors", "--metric", "alignment", "--samples", 20,
                  "--factor-network", network_file)  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert re.search(r"disentanglement +0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]", result.stdout)
    assert result.stdout.count("remaining spread") == 5
    report = json.loads((measured / "factors.json").read_text())
    assert np.shape(report["effects"]) == (6, 5) and len(report["names"]) == 6
    with Image.open(measured / "factors.png") as drawn:
        assert np.asarray(drawn.convert("L")).std() > 10
    svg = (measured / "factors.svg").read_bytes()
    assert call("measure", measured, "--metric", "factors", "--samples", 20, "--factor-network", network_file,
                "--json").exit_code == 0  # fmt: skip
    assert (measured / "factors.svg").read_bytes() == svg
    assert call("render", "grid", measured, "--samples", 1, "--directions", "0").exit_code == 0
    assert call("page", measured).exit_code == 0
    page = (measured / "index.html").read_text()
    assert "6 coordinates directions" in page and "disentanglement" in page
    assert page.count("data:image/png;base64,") == 2 and page.index("grid.png") < page.index("factors.png")
    assert "http:" not in page and "https:" not in page


def test_hessians(measured):
    result = call("measure", measured, "--metric", "diagonality", "--samples", 3)
    assert result.exit_code == 0, result.stderr
    found = json.loads((measured / "diagonality.json").read_text())
    assert 0 <= found["percent"]["low"] <= found["percent"]["value"] <= 1 and found["ratio_of_sums"]["value"] > 0
    ratio = f"{found['ratio_of_sums']['value']:.3f}"
    assert ratio in result.stdout and ratio in (measured / "index.html").read_text()


def test_the_share_is_that_of_the_basis(measured):
    """The same Hessians for every basis, a full one; one that is turned has another share."""
    one = ["--metric", "share", "--samples", 2, "--json"]
    found = json.loads(call("measure", measured, *one).stdout)[str(measured)]["share"]
    assert 0 < found["low"] <= found["value"] <= found["high"] < 1 and found["samples"] == 2
    path = measured / "directions.safetensors"
    record = Directions.load(path)
    turned = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(0)))[0]
    replace(record, vectors=turned).save(path)
    other = json.loads(call("measure", measured, *one).stdout)[str(measured)]["share"]
    assert other["random"] == found["random"] and other["value"] != found["value"]
    replace(record, vectors=record.vectors[:5], layers=record.layers[:5], names=record.names[:5],
            scores=record.scores[:5], ranges=record.ranges[:5]).save(path)  # fmt: skip
    refused = call("measure", measured, *one)
    assert refused.exit_code == 2 and "full orthonormal basis: there are 5 directions of 6" in refused.stderr


EVERY_LONG = [word for name in ("factors", "diagonality", "share", "activeness", "paths", "ppl", "fid",
                                  "fidelity")
              for word in ("--metric", name)]  # fmt: skip


def test_a_stopped_measure_goes_on_where_it_was(measured, network_file, renders, tmp_path, monkeypatch):
    monkeypatch.setenv("DIRECTION_FINDER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("direction_finder.reports.measures.saving.IMAGES", {})  # they take long, and are drawn uncached
    other = shutil.copytree(measured, tmp_path / "other")
    record = Directions.load(measured / "directions.safetensors")
    replace(record, vectors=record.vectors.flip(0)).save(other / "directions.safetensors")
    arguments = ["measure", measured, other, *EVERY_LONG, "--samples", 4, "--max-batch", 4, "--json",
                 "--factor-network", network_file, "--real", renders[1].folder, "--renders", renders[1].folder,
                 "--other-renders", renders[0].folder]  # fmt: skip
    calls, stop_at = 0, None
    forward = Generator.forward

    def counted(*given, **named):
        nonlocal calls
        calls += 1
        if calls == stop_at:
            raise KeyboardInterrupt
        return forward(*given, **named)

    monkeypatch.setattr(Generator, "forward", counted)
    whole = call(*arguments)
    assert whole.exit_code == 0, whole.stderr
    needed, calls = calls, 0
    parts = tmp_path / "cache" / "measures"
    assert not list(parts.glob("*"))

    stop_at = needed - 4  # in the middle of the last of them
    stopped = call(*arguments)
    assert stopped.exit_code == 130 and "Repeat the command to resume it" in stopped.stderr
    assert len(list(parts.iterdir())) == 2  # those of a target that was done, too
    stop_at, calls = None, 0
    again = call(*arguments)
    assert json.loads(again.stdout) == json.loads(whole.stdout)
    assert calls < needed / 2 and not list(parts.iterdir())

    calls = 0
    assert call(*arguments, "--seed", 1).exit_code == 0  # other latents: nothing of it is taken over
    assert calls == needed


def test_damaged_parts_are_taken_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("DIRECTION_FINDER_CACHE", str(tmp_path))
    with pytest.raises(KeyboardInterrupt), MeasureCache({"a": 1}) as keep:
        assert keep("x", lambda: torch.ones(2)).tolist() == [1, 1]
        raise KeyboardInterrupt
    with MeasureCache({"a": 2}) as other:
        assert other("x", lambda: torch.zeros(2)).tolist() == [0, 0]
    with pytest.raises(KeyboardInterrupt), MeasureCache({"a": 1}) as keep:
        assert keep("x", lambda: torch.zeros(2)).tolist() == [1, 1]
        raise KeyboardInterrupt
    (file,) = (tmp_path / "measures").iterdir()
    file.write_bytes(b"cut")
    with MeasureCache({"a": 1}) as keep:
        assert keep("x", lambda: torch.zeros(2)).tolist() == [0, 0]
    assert not file.exists()


def test_several_targets_side_by_side(measured, tmp_path):
    other = shutil.copytree(measured, tmp_path / "other")
    few = ["--metric", "activeness", "--metric", "diagonality", "--samples", 3]
    result = call("measure", measured, other, *few, "--out", tmp_path / "both")
    assert result.exit_code == 0, result.stderr
    head, _, first, second = (tmp_path / "both" / "measures.md").read_text().splitlines()
    assert head == "|  | active | D% ↑ | D_R ↑ | D% of bending pixels ↑ | ratio of sums ↑ |"
    assert first.partition("|")[2].partition("|")[2] == second.partition("|")[2].partition("|")[2]
    assert first in result.stdout
    reports = json.loads((tmp_path / "both" / "measures.json").read_text())
    assert f"{100 * reports[str(other)]['diagonality']['percent']['value']:.3f} [" in second
    assert (tmp_path / "both" / "activeness.png").is_file()
    for path in [*(tmp_path / "both").iterdir(), *other.glob("*.json")]:
        assert json.loads(call("info", path, "--json").stdout)["problems"] == [], path


def test_a_distance_has_its_published_name_only_with_the_published_network():
    found = {name: {"value": 1.0, "features": "efficientnet-lite0"} for name in ("ppl", "fid", "kid")}
    assert not any(word in table({"a": found}) for word in ("PPL", "FID", "KID"))
    found["fid"]["features"], found["ppl"]["features"] = "inception-v3", "lpips-vgg16"
    head = table({"a": found}).splitlines()[0]
    assert "| PPL (lpips-vgg16) ↓ | FID (inception-v3) ↓ | kernel distance (efficientnet-lite0) ↓ |" in head


def test_names_are_written_and_as_good_as_numbers(measured, network_file):
    path = measured / "directions.safetensors"
    before = Directions.load(path)
    arguments = ["--metric", "factors", "--samples", 20, "--factor-network", network_file]
    assert call("measure", measured, *arguments).exit_code == 0
    assert Directions.load(path).names == before.names
    assert call("measure", measured, *arguments, "--name").exit_code == 0
    named = Directions.load(path)
    assert list(named.names) == json.loads((measured / "factors.json").read_text())["names"]
    assert torch.equal(named.vectors, before.vectors) and named.config == before.config
    replace(before, names=("x", "hue", *[None] * 4)).save(path)
    assert call("align", measured, "--direction", "hue", "--samples", 1).exit_code == 0
    assert (measured / "align-1.png").is_file()
    assert call("render", "grid", measured, "--directions", "hue,x,3", "--samples", 1).exit_code == 0
    result = call("align", measured, "--direction", "size", "--samples", 1)
    assert result.exit_code == 2 and "expected numbers like 0-7,12, x, hue, or all" in result.stderr


def test_info_knows_all_of_it(measured, network_file, generator, renders, tmp_path):
    call("measure", measured, "--metric", "factors", "--samples", 20, "--factor-network", network_file)
    call("page", measured)
    training = Path(generator.partition(":")[2]).parent
    copy = shutil.copytree(renders[1].folder, tmp_path / "copy")
    (copy / "images" / "000003.png").unlink()
    kinds = {}
    files = [path for path in measured.rglob("*") if path.is_file()]
    for path in [*files, network_file, training, renders[0].folder, copy]:
        facts = json.loads(call("info", path, "--json").stdout)
        kinds[facts["kind"]] = facts
        assert facts["problems"] == (["images/000003.png is missing or changed"] if path == copy else []), path
    assert kinds["effects on factors"]["samples"] == 20
    assert kinds["factor network"]["resolution"] == 16
    assert kinds["training run"]["step"] == 1
    assert kinds["data set, shapes"]["factors"][0] == "class"
    assert kinds["raw measurements"]["of"] == ["factors"] and kinds["raw measurements"]["class"] == "cube"
    assert {"figure", "page", "directions", "image"} <= set(kinds)


def test_fidelity(generator, renders, network_file):
    result = call("measure", generator, "--metric", "fidelity", "--samples", 12, "--renders", renders[1].folder,
                  "--other-renders", renders[0].folder, "--factor-network", network_file, "--json")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)[generator]["fidelity"]
    assert found["frechet"]["generated"] > 2 * found["frechet"]["other renders"] > 0
    assert 0.3 < found["distances"]["hue"] <= 1 and set(found["asked"]) == {"cube", "sphere", "cylinder"}


def test_fidelity_of_a_run_is_computed_again_without_an_image(measured, renders, network_file, monkeypatch):
    result = call("measure", measured, "--metric", "fidelity", "--samples", 12, "--renders", renders[1].folder,
                  "--other-renders", renders[0].folder, "--factor-network", network_file)  # fmt: skip
    assert result.exit_code == 0, result.stderr
    monkeypatch.setattr(Generator, "__call__", lambda *_: pytest.fail("an image was rendered"))
    monkeypatch.setattr(Dataset, "images", lambda *_: pytest.fail("a render was read"))
    before = (measured / "fidelity.json").read_bytes()
    (measured / "fidelity.json").unlink()
    again = call("measure", measured, "--metric", "fidelity", "--again", "--samples", 12)
    assert again.exit_code == 0, again.stderr
    assert (measured / "fidelity.json").read_bytes() == before
    assert again.stdout == result.stdout


def test_a_network_that_reads_other_classes_is_refused(generator, renders, tmp_path):
    factors = [replace(f, choices=("a", "b", "c")) if f.choices else f for f in renders[0].factors]
    FactorNetwork(factors, 16).save(tmp_path / "other.safetensors")
    result = call("measure", generator, "--metric", "fidelity", "--samples", 12, "--renders", renders[1].folder,
                  "--other-renders", renders[0].folder, "--factor-network", tmp_path / "other.safetensors")  # fmt: skip
    assert result.exit_code == 2 and "does not read class as one of cube, sphere, cylinder" in result.stderr


def test_what_cannot_be_measured_is_refused(generator, measured, renders, network_file):
    for arguments, word in [
        ([generator, "--metric", "factors"], "not a run folder or directions file"),
        ([generator, "--metric", "fidelity"], "needs --renders"),
        ([generator, "--metric", "fidelity", "--samples", 101, "--renders", renders[1].folder, "--other-renders",
          renders[0].folder], "101 samples: there are only 100 and 400"),
        (["eyes", "--metric", "fidelity", "--renders", renders[1].folder, "--other-renders", renders[0].folder],
         "class is one of cube"),
        ([measured, "--metric", "alignment", "--name"], "--name needs --metric factors"),
    ]:  # fmt: skip
        result = call("measure", *arguments, "--factor-network", network_file)
        assert result.exit_code == 2 and word in result.stderr, result.stderr
    assert call("measure", measured, "--metric", "factors", "--factor-network", "none").exit_code == 2


def test_features_do_not_depend_on_the_batch():
    features = lite0()
    images = torch.rand(3, 3, 64, 64) * 2 - 1
    together = features(images)
    assert together.shape == (3, 1280) and together.std() > 0.01
    assert torch.allclose(together[1:2], features(images[1:2]), atol=1e-4)


def test_a_heat_map_needs_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"direction-finder\[measure\]"):
        heat_map(tmp_path / "a.png", np.ones((1, 1)), rows=["a"], columns=["b"], title="", unit="")


def test_distances_and_path_lengths(measured, generator, renders):
    metrics = [word for name in ("ppl", "fid", "kid") for word in ("--metric", name)]
    few = ["--real", renders[1].folder, "--samples", 8, "--json"]
    found = {}
    for target, more in ((measured, ["--metric", "paths"]), (generator, [])):
        result = call("measure", target, *metrics, *more, *few)
        assert result.exit_code == 0, result.stderr
        found[target] = json.loads(result.stdout)[str(target)]
        for name in ("ppl", "fid", "kid"):
            report = found[target][name]
            assert (report["features"], report["samples"], report["seed"]) == ("efficientnet-lite0", 8, 0)
            assert report["value"] > 0
    of_run, of_generator = found[measured], found[generator]
    assert of_run["fid"]["value"] != of_generator["fid"]["value"]  # cubes, and random classes
    assert of_run["fid"]["real"]["kind"] == "shapes"
    assert len(of_run["paths"]["of"]) == 6 and min(each["value"] for each in of_run["paths"]["of"]) > 0
    assert json.loads((measured / "fid.json").read_text()) == of_run["fid"]
    anywhere = call("measure", generator, "--metric", "ppl", "--place", "full", "--samples", 8, "--json")
    assert json.loads(anywhere.stdout)[generator]["ppl"]["value"] != of_generator["ppl"]["value"]


def test_only_the_chosen_images_are_read(renders, monkeypatch):
    images = Images(renders[1].folder)
    everything, about = read_images(renders[1].folder)
    assert images.about.items() < about.items() and len(images) == len(everything) == about["num"]
    monkeypatch.setattr(reference, "BATCH", 3)
    read, batches = [], []
    monkeypatch.setattr(datasets, "read_image", lambda path: read.append(path) or read_image(path))

    def features(images):
        batches.append(len(images))
        return images.flatten(1)

    seen = Reference(images, 8, seed=1, features=features).seen
    chosen = choice(len(images), 8, 1)
    assert read == [images.paths[index] for index in chosen] and len(set(chosen)) == 8 and batches == [3, 3, 2]
    assert torch.equal(seen, Reference(everything, 8, seed=1, features=features).seen)
    assert images.sha256(chosen) == images.sha256(list(chosen)) != images.sha256(chosen[::-1])


def test_distances_that_cannot_be_measured(measured, generator, renders, tmp_path):
    refused = call("measure", generator, "--metric", "fid")
    assert refused.exit_code == 2 and "give a data set or a folder of images as --real" in refused.stderr
    refused = call("measure", measured, generator, "--metric", "paths")
    assert refused.exit_code == 2 and "not a run folder or directions file, which --metric paths" in refused.stderr
    assert not refused.stdout and not (measured / "paths.json").exists()  # before anything was measured
