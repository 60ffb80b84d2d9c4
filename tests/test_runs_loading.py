"""Directions in files and runs, and the generators they act on: which is loaded, what is drawn, what is refused."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from direction_finder.directions import Directions
from direction_finder.errors import InputError, Unfinished
from direction_finder.files import read_json, write_json
from direction_finder.generators import Untold, load_generator
from direction_finder.runs import loading as module
from direction_finder.runs.folder import Run
from direction_finder.runs.loading import Loaded, Loader, fitting, read_directions, short_list
from direction_finder.samples import Samples
from tests.conftest import NUM_CLASSES
from tests.planted import planted

RANK, CONFIG = "rank.json", "config.json"


@pytest.fixture(scope="module")
def generator(dcgan_file):
    return load_generator(f"dcgan:{dcgan_file}", num_classes=NUM_CLASSES)


@pytest.fixture(scope="module")
def directions(generator):
    known = {"generator": generator.name, "weights_sha256": generator.weights_sha256}
    return Directions(torch.eye(generator.dim), "coordinates", class_index=1, class_name="class 1", **known)


@pytest.fixture
def target(tmp_path, directions, generator):
    return Loaded(tmp_path / "directions.safetensors", directions, generator)


@pytest.fixture
def loaded(monkeypatch) -> list[tuple]:
    """What `load_generator` was asked for."""
    asked = []

    def load(spec, truncation, **given):
        asked.append((spec, truncation, given))
        return object()

    monkeypatch.setattr(module, "load_generator", load)
    return asked


def test_the_last_generator_is_kept_and_no_other(loaded):
    loader = Loader("cpu", progress=True)
    first = loader.load("a")
    assert loader.load("a", untold=Untold()) is first and len(loaded) == 1
    other = loader.load("a", truncation=0.5)
    assert other is not first and loader.load("a", truncation=0.5) is other
    assert loader.load("a") is not first and len(loaded) == 3
    assert loader.load("a", untold=Untold(num_classes=3)) is not loader.load("a", untold=Untold(num_classes=4))
    assert [each[2]["num_classes"] for each in loaded] == [None, None, None, 3, 4]
    assert loaded[0] == ("a", None, {"device": "cpu", "progress": True, "folder": None, **dataclasses.asdict(Untold())})


def test_what_a_run_told_of_a_file_is_told_again_for_another_of_the_family(run_folder, loaded):
    run = Run.open(run_folder)
    run.config["generator"]["truncation"] = 0.7
    run.config["generator"]["weights_sha256"] = None
    with pytest.raises(AttributeError):  # what stands for a generator here has no weights
        Loader("cpu").load_recorded(run, "dcgan:other.pth")
    with pytest.raises(AttributeError):
        Loader("cpu").load_recorded(run, "biggan-deep:other")
    (spec, truncation, same), (_, _, other) = loaded
    assert (spec, truncation) == ("dcgan:other.pth", 0.7)
    assert same["num_classes"] == NUM_CLASSES and other["num_classes"] is None


def test_a_run_is_opened_with_its_generator(run_folder):
    opened = Loaded.open(run_folder, Loader("cpu"))
    assert opened.path == run_folder / "directions.safetensors" and opened.folder == run_folder
    assert opened.directions == Directions.load(run_folder)
    assert opened.generator.weights_sha256 == opened.directions.weights_sha256
    assert opened.generator.num_classes == NUM_CLASSES


def test_a_file_is_opened_with_the_generator_that_it_names_or_that_is_named(run_folder, dcgan_file, tmp_path):
    path = tmp_path / "alone.safetensors"
    spec = f"dcgan:{dcgan_file}"
    dataclasses.replace(Directions.load(run_folder), generator=spec).save(path)
    # without `num_classes`, which a file does not tell, the latents have the dimensions of the class too
    with pytest.raises(InputError, match="6 dimensions but generator dcgan:small has 9"):
        Loaded.open(path, Loader("cpu"))
    record = Directions(torch.eye(9), "random", generator=spec)
    record.save(path)
    assert Loaded.open(path, Loader("cpu")).generator.dim == 9
    Directions(torch.eye(9), "random", generator="nothing").save(path)
    assert Loaded.open(path, Loader("cpu"), spec).generator.dim == 9
    with pytest.raises(InputError, match="unknown generator 'nothing'"):
        Loaded.open(path, Loader("cpu"))


def test_directions_that_are_bound_to_none_need_a_name_and_get_its_scale(dcgan_file, run_folder, tmp_path):
    path = tmp_path / "free.safetensors"
    Directions(torch.eye(9), "imported").save(path)
    with pytest.raises(InputError, match=rf"^{path}: not bound to a generator; name one with `generator`$"):
        Loaded.open(path, Loader("cpu"))
    assert Loaded.open(path, Loader("cpu"), f"dcgan:{dcgan_file}").directions.weights_sha256 is None
    config = read_json(run_folder / CONFIG)
    write_json(run_folder / CONFIG, {**config, "generator": {**config["generator"], "spec": None}})
    with pytest.raises(InputError, match=rf"^{run_folder}: not bound to a generator; name one with `generator`$"):
        Loaded.open(run_folder, Loader("cpu"))


def test_free_directions_take_the_scale_of_the_generator_and_bound_ones_keep_theirs():
    generator = planted(4)
    generator.scale = 2.5
    free, _ = fitting(Directions(torch.eye(4), "imported"), generator)
    assert free.scale == 2.5
    bound = Directions(torch.eye(4), "random", weights_sha256=generator.weights_sha256)
    assert fitting(bound, generator)[0].scale == 1
    with pytest.raises(InputError, match="not in planted"):
        fitting(dataclasses.replace(bound, weights_sha256="0" * 64), generator)


def test_a_run_without_directions_says_how_to_finish_it(run_folder):
    (run_folder / "directions.safetensors").unlink()
    with pytest.raises(Unfinished, match=rf"finish the run with learn --resume {run_folder}$"):
        read_directions(Run.open(run_folder))


def test_a_factory_that_gives_other_weights_names_a_tensor(run_folder):
    run = Run.open(run_folder)
    generator = Loader("cpu").load_recorded(run)
    tensors = {f"module.{name}": "0" for name in ("b", "a")}
    run.config["generator"] |= {"weights_sha256": "0", "tensors": {**module.tensor_hashes(generator.state_dict())}}
    first = sorted(run.config["generator"]["tensors"])[0]
    run.config["generator"]["tensors"][first] = "0"
    with pytest.raises(InputError, match=rf"1 of \d+ tensors differ, first {first}; a factory must return the same"):
        Loader("cpu").load_recorded(run)
    run.config["generator"]["tensors"] = tensors
    with pytest.raises(InputError, match="first a;"):
        Loader("cpu").load_recorded(run)


def test_a_short_list_is_that_of_these_directions(target, tmp_path, directions):
    assert target.short_list == []
    write_json(tmp_path / RANK, {"short_list": [4, 2], "directions_sha256": directions.sha256})
    assert target.short_list == [4, 2] and short_list(tmp_path, directions[:3]) == []
    assert target.pick(None) == [4, 2] and target.pick(None, most=1) == [4] and target.pick("1,5") == [1, 5]


def test_without_a_short_list_the_first_are_taken(target):
    assert target.pick(None) == [0, 1, 2, 3, 4, 5]
    assert target.pick(None, most=2) == [0, 1] and target.pick(None, most=99) == [0, 1, 2, 3, 4, 5]


def test_one_direction_is_one(target):
    assert target.pick_one("3") == 3
    with pytest.raises(InputError, match=r"direction '0-1': expected one number"):
        target.pick_one("0-1")


@pytest.mark.parametrize(("named", "classes"), [(None, [1, 1]), ("class 2", [2, 2]), ("0", [0, 0])])
def test_samples_are_drawn_of_the_class_of_the_directions_or_of_the_one_named(named, classes, target):
    drawn = target.samples(2, 5, named)
    assert drawn.classes.tolist() == classes and drawn == target.generator.samples(2, seed=5, class_name=classes[0])


def test_random_classes_are_drawn_where_none_is_said(target):
    free = dataclasses.replace(target, directions=dataclasses.replace(target.directions, class_index=None))
    assert free.class_index(None) is None and len(set(free.samples(40, 0, None).classes.tolist())) == NUM_CLASSES


@pytest.mark.parametrize(("ending", "kept"), [("safetensors", [0, 2]), ("npy", [1, 1])])
def test_samples_of_a_file_keep_their_classes_or_take_those_of_the_directions(ending, kept, target, tmp_path):
    path = tmp_path / f"two.{ending}"
    latents = torch.randn(2, 1, 6)
    Samples(latents, torch.tensor([0, 2])).save(path)
    assert np.array_equal(target.samples(path, 0, None).latents, latents)
    assert target.samples(path, 0, None).classes.tolist() == kept
    assert target.samples(path, 0, "2").classes.tolist() == [2, 2]


def test_a_copied_run_is_opened_where_it_lies(run_folder, tmp_path):
    copied = shutil.copytree(run_folder, tmp_path / "copied")
    assert Loaded.open(copied, Loader("cpu")).folder == copied
