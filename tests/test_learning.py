"""Runs that find directions: which searches there are, what is refused at once, how they go on."""

import json

import pytest
import torch
from torch import nn

from direction_finder import learn
from direction_finder.discovery import find
from direction_finder.errors import InputError
from direction_finder.files import CONFIG, write_json
from direction_finder.generators import WrappedModule, load_generator
from direction_finder.runs import learning
from direction_finder.runs.folder import Run
from direction_finder.runs.learning import Search, absolute_start, begin, generator_record, resume, searches
from direction_finder.runs.lifecycle import Machine
from tests.conftest import NUM_CLASSES
from tests.planted import planted

LOOP = {"batch_size": 2, "share_points": 0, "score_samples": 0}


@pytest.fixture(scope="module")
def generator(dcgan_file):
    return load_generator(f"dcgan:{dcgan_file}", num_classes=NUM_CLASSES)


class Layered(nn.Module):
    """Three layers of four numbers, and one of two classes, to flat images."""

    def forward(self, latents: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        return (latents.sum((1, 2)) + classes)[:, None, None, None].sin().expand(-1, 3, 4, 4)


@pytest.fixture(scope="module")
def layered():
    return WrappedModule(Layered(), 4, num_layers=3, num_classes=2, name="layered")


def stop_at(step: int):
    return lambda progress: progress.stop() if progress.step == step else None


def stopped(generator, out, steps: int = 4, **given) -> Run:
    """A run of a loop that was stopped after its first step."""
    return learn(generator, "hessian", out=out, steps=steps, progress=stop_at(1), **LOOP, **given)


def files(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.folder.iterdir()}


def test_there_is_a_search_for_each_class_and_space(layered):
    found = searches(layered, "random", {"seed": 3}, ["class 0", "1"], ["mid", "all"])
    assert [(each.class_name, each.part, each.config.layers) for each in found] == [
        ("class 0", "mid", (1, 1)),
        ("class 0", "all", None),
        ("class 1", "mid", (1, 1)),
        ("class 1", "all", None),
    ]
    assert {each.config.seed for each in found} == {3} and found[0].record == found[-1].record
    (one,) = searches(layered, "random", {})
    assert (one.class_name, one.part, one.config.class_index) == (None, None, None)


@pytest.mark.parametrize(
    ("method", "settings", "classes", "parts", "words"),
    [
        ("pca", {}, (), (), "unknown method 'pca'"),
        ("random", {"steps": 3}, (), (), "no setting steps"),
        ("hessian", {"steps": 0}, (), (), "steps is 0"),
        ("random", {}, ("class 0", "zebra"), (), "zebra"),
        ("random", {}, (), ("coarse", "deep"), "part 'deep'"),
        ("random", {"layers": (0, 1)}, (), ("all",), "leave out `dims` and `layers`"),
        ("random", {"dims": (0, 1)}, (), ("all",), "leave out `dims` and `layers`"),
        ("random", {"layers": (0, 99)}, (), (), "layers 0-99"),
        ("hessian", {"at": ("nowhere",)}, (), (), "no activation 'nowhere'"),
        ("hessian", {"start": "nowhere.safetensors"}, (), (), "no such file"),
        ("random", {"class_index": 99}, (), (), "class 99"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_drawn(
    method, settings, classes, parts, words, layered, monkeypatch
):
    def drawn(*_):
        raise AssertionError("a image was drawn")

    monkeypatch.setattr(type(layered), "run", drawn)
    with pytest.raises(InputError, match=words):
        searches(layered, method, settings, classes, parts)


def test_a_refused_search_leaves_no_folder(generator, tmp_path):
    for given in ({"class_name": "zebra"}, {"part": "deep"}, {"steps": 3}):
        with pytest.raises(InputError):
            learn(generator, "random", out=tmp_path / "run", **given)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"class_names": ["class 1"]}, "random-dcgan-small-class-1"),
        ({}, "random-dcgan-small-random-classes"),
        ({"parts": ["all"]}, "random-dcgan-small-random-classes-all"),
    ],
)
def test_a_search_has_a_name(given, name, generator):
    (search,) = searches(generator, "random", {}, **given)
    assert search.name == name


def test_without_classes_none_is_named():
    (search,) = searches(planted(4), "random", {})
    assert search.name == "random-planted"


def test_a_class_may_be_given_as_a_setting_as_to_find(generator, tmp_path):
    run = learn(generator, "random", class_index=1, out=tmp_path / "run")
    assert run.config["class"] == "class 1" and run.config["settings"]["class_index"] == 1
    assert learning.Directions.load(run.folder) == find(generator, "random", class_index=1)


def test_a_record_says_how_the_generator_was_loaded(generator, dcgan_file, tmp_path):
    record = generator_record(generator)
    assert record["spec"] == f"dcgan:{dcgan_file}" and record["num_classes"] == NUM_CLASSES
    assert record["weights_sha256"] == generator.weights_sha256 and "tensors" not in record
    cut = load_generator(f"dcgan:{dcgan_file}", 0.5)
    assert generator_record(cut)["truncation"] == 0.5 and generator_record(cut)["num_classes"] is None
    own = generator_record(planted(4))
    assert own["spec"] is None and own["name"] == "planted"
    assert any("not from -1 to 1" in note for note in own["notes"])


def test_a_search_that_is_settled_keeps_what_it_measured(generator, monkeypatch):
    monkeypatch.setattr(learning, "settle", lambda generator, method, config: (config, {"seconds": 1.0}))
    (search,) = searches(generator, "random", {})
    assert isinstance(search, Search) and search.content()["measured"] == {}
    assert search.settled().content()["measured"] == {"seconds": 1.0}


def test_the_configuration_is_written_before_the_first_step(generator, tmp_path):
    (search,) = searches(generator, "coordinates", {"score_samples": 1}, ["0"])
    began = []
    begin(
        search,
        tmp_path / "run",
        on_begin=lambda run: began.append(json.loads((run.folder / "config.json").read_text())),
    )
    (config,) = began
    assert config["finished"] is None and config.items() >= search.content().items()


def test_a_run_of_a_loaded_generator_goes_on_by_itself(generator, tmp_path, monkeypatch):
    run = stopped(generator, tmp_path / "run")
    assert not run.finished and int(run.read_state()["step"]) == 1
    monkeypatch.chdir(tmp_path)
    again, directions = resume(run.folder)
    assert again.finished and [step["step"] for step in again.steps()] == [1, 2, 3, 4]
    assert torch.equal(directions.vectors, find(generator, "hessian", steps=4, **LOOP).vectors)


def test_a_run_of_another_machine_goes_on_here(generator, tmp_path):
    run = stopped(generator, tmp_path / "run")
    run.config["device"] = "cuda:99"
    write_json(run.folder / CONFIG, run.config)
    with pytest.raises(InputError, match=r"^device 'cuda:99' cannot be used here .*; try `device` cpu$"):
        resume(run.folder)
    again, directions = resume(run.folder, machine=Machine("cpu", threads=1))
    assert again.finished and (again.config["device"], again.config["threads"]) == ("cpu", 1)
    assert torch.equal(directions.vectors, find(generator, "hessian", steps=4, **LOOP).vectors)


def test_a_run_of_a_module_goes_on_with_the_generator_at_hand(tmp_path):
    run = stopped(planted(6), tmp_path / "run")
    before = files(run)
    with pytest.raises(InputError, match=r"not bound to a generator; name one with `generator`$"):
        resume(run.folder)
    with pytest.raises(InputError, match="has other weights now than when the run began"):
        resume(run.folder, generator=planted(6, seed=1))
    assert files(run) == before
    again, directions = resume(run.folder, generator=planted(6))
    assert again.finished
    assert torch.equal(directions.vectors, find(planted(6), "hessian", steps=4, **LOOP).vectors)


def test_a_moved_generator_is_named_anew_and_for_good(generator, dcgan_file, tmp_path):
    run = stopped(generator, tmp_path / "run")
    moved = tmp_path / "moved.pth"
    moved.write_bytes(dcgan_file.read_bytes())
    resume(run.folder, spec=f"dcgan:{moved}", on_step=stop_at(2))
    assert Run.open(run.folder).config["generator"]["spec"] == f"dcgan:{moved}"
    assert resume(run.folder)[0].finished


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, r"leave out `seed`$"),
        ({"steps": 9, "eta": 1.0, "class_name": "1"}, r"leave out `eta`, `class_name`$"),
        ({"steps": 0}, "can only be made longer"),
        ({"steps": 9}, "laid out for 4 steps"),
    ],
)
def test_a_refused_resume_leaves_the_run_as_it_is(changes, words, dcgan_file, generator, tmp_path):
    run = stopped(generator, tmp_path / "run", schedule="linear")
    before = files(run)
    moved = tmp_path / "moved.pth"
    moved.write_bytes(dcgan_file.read_bytes())
    with pytest.raises(InputError, match=words):
        resume(run.folder, changes, spec=f"dcgan:{moved}")
    assert files(run) == before


def test_a_finished_run_that_goes_on_is_the_same(generator, tmp_path):
    run = learn(generator, "hessian", out=tmp_path / "run", steps=2, **LOOP)
    assert run.finished
    before = run.directions_path.read_bytes()
    again, _ = resume(run.folder)
    assert again.finished and again.directions_path.read_bytes() == before and len(again.steps()) == 2


def test_a_start_from_a_file_is_found_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_start({"start": "a.safetensors", "seed": 1}) == {
        "start": str(tmp_path / "a.safetensors"),
        "seed": 1,
    }
    for settings in ({}, {"start": "random"}, {"start": "coordinates"}):
        assert absolute_start(settings) == settings


def test_a_name_is_as_good_as_a_generator(dcgan_file, tmp_path):
    run = learn(f"dcgan:{dcgan_file}", "random", out=tmp_path / "run")
    assert run.config["generator"]["spec"] == f"dcgan:{dcgan_file}"
    assert run.finished and run.steps() == []
