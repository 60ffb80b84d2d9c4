"""One basis for several classes: which class each point has, that the record says so, and what is refused."""

import json
from collections import Counter

import pytest
import torch

import direction_finder as df
from direction_finder.discovery import direct
from direction_finder.discovery.config_bases import SearchConfig
from direction_finder.discovery.configs import JacobianConfig
from direction_finder.discovery.direct import VALIDATION, _Source
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.errors import InputError
from tests.conftest import NUM_CLASSES, call


@pytest.fixture(scope="module")
def generator(dcgan_file):
    return df.load_generator(f"dcgan:{dcgan_file}", num_classes=NUM_CLASSES)


@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_points_are_of_all_classes_in_turn_and_so_are_those_held_out(count, generator):
    space = SearchSpace(generator, SearchConfig())
    space.class_numbers = tuple(range(count))
    chosen = [space.at_point(number, VALIDATION).class_numbers[0] for number in range(12 * count)]
    assert all(set(chosen[start : start + count]) == set(range(count)) for start in range(0, len(chosen), count))
    assert set(Counter(chosen[VALIDATION - 1 :: VALIDATION]).values()) == {3}


def test_a_point_is_what_it_is_for_its_class_alone(generator):
    """So the stack is that of all classes: every matrix is one that a run for a single class measures too."""
    measured = lambda space, rng: space.draw_point(0.0, rng)[1][0] + 10 * space.classes(1, rng)  # noqa: E731
    together, first = (
        _Source(measured, SearchSpace(generator, JacobianConfig(class_index=chosen)), 0, None) for chosen in ((2, 0), 2)
    )
    assert torch.equal(together.point(0), first.point(0)) and not torch.equal(together.point(1), first.point(1))
    assert torch.allclose(together.point(1), first.point(1) - 20, atol=1e-5)


@pytest.mark.parametrize("method", ["jacobian", "hessian-direct", "mean-field"])
def test_direct_methods_find_one_basis_for_several_classes(method, generator):
    found = df.find(generator, method, class_name=["class 0", 2], points=6, keep_going=True)
    alone = df.find(generator, method, class_name=0, points=6, keep_going=True)
    assert found.orthonormal and not torch.equal(found.vectors, alone.vectors)
    assert (found.class_name, found.class_index) == ("class 0 + class 2", None)
    assert found.config["class_index"] == [0, 2] and found.config["points"] == 6


def test_every_class_has_a_point_even_if_the_search_may_stop(generator, monkeypatch):
    monkeypatch.setattr(direct, "_settled", lambda shares, config: True)
    assert [df.find(generator, class_name=chosen).config["points"] for chosen in ([0, 1, 2], [0, 1], 0)] == [3, 2, 2]


def test_other_methods_draw_one_of_the_classes_for_each_sample(generator):
    classes = SearchSpace(generator, SearchConfig(class_index=(2, 0))).classes(64, torch.Generator().manual_seed(0))
    assert set(classes.tolist()) == {0, 2}
    found = df.find(generator, "hessian", class_name=(0, 2), steps=1, batch_size=2, share_points=0, score_samples=0)
    assert found.config["class_index"] == [0, 2] and found.class_name == "class 0 + class 2"


def test_a_stopped_run_of_several_classes_resumes_to_the_same_directions(generator, tmp_path):
    given = {"class_name": [0, 2], "points": 6, "keep_going": True}
    whole = df.learn(generator, out=tmp_path / "whole", **given)
    stopped = df.learn(
        generator, out=tmp_path / "halves", progress=lambda step: step.step == 3 and step.stop(), **given
    )
    assert not stopped.finished
    stopped.resume(generator=generator)
    assert stopped.directions == whole.directions and whole.directions.class_index is None
    assert df.Directions.load(tmp_path / "whole").config["class_index"] == [0, 2]


def test_learn_makes_one_run_for_all_or_one_for_each(dcgan_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("learn", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--points", 4,
                 "--class", 0, "--class", 2)  # fmt: skip
    result = call(*arguments, "--together", "--out", "both")
    assert result.exit_code == 0 and "class 0 + class 2" in result.stderr
    config = json.loads((tmp_path / "both" / "config.json").read_text())
    assert config["class"] == "class 0 + class 2" and config["settings"]["class_index"] == [0, 2]
    assert call(*arguments).exit_code == 0 and len(list((tmp_path / "outputs").iterdir())) == 2
    assert call("info", "both").exit_code == 0 and call("page", "both", "--samples", 1).exit_code == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"class_name": ["0"]}, "classes 0: expected two different ones at least"),
        ({"class_name": []}, "classes none"),
        ({"class_name": ["0", "class 0"]}, "expected two different ones"),
        ({"class_name": [0, 9]}, "class '9' does not exist"),
        ({"class_name": [0, 1, 2], "points": 2}, "2 points for 3 classes together"),
        ({"class_name": [0, 1], "method": "local-basis"}, "one point, of one class"),
    ],
)
def test_impossible_classes_are_one_line(given, words, generator):
    with pytest.raises(InputError, match=words):
        df.find(generator, **given)
    with pytest.raises(InputError):
        SearchConfig(class_index=("a", "b"))


def test_a_sweep_finds_one_basis_for_all_beside_one_for_each(dcgan_file, tmp_path):
    given = {"class_name": ["0", "2"], "together": True, "seed": [0, 1], "points": 5, "workers": 1}
    rows = df.sweep(f"dcgan:{dcgan_file}", tmp_path / "s", loading={"num_classes": NUM_CLASSES}, **given)
    assert [row["class"] for row in rows] == ["class 0", "class 2", "class 0 + class 2"] * 2
    assert rows[2]["folder"] == "jacobian-together-class-0-class-2-seed-0" and rows[2]["status"] == "done"
    again = df.sweep(f"dcgan:{dcgan_file}", tmp_path / "s", loading={"num_classes": NUM_CLASSES}, **given)
    assert again == rows
