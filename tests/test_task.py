"""What `measure` is asked for, and what it refuses before it draws anything."""

import dataclasses

import pytest
import torch

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.metrics.samples import Sampling
from direction_finder.reports.measures import METRICS, measure
from direction_finder.reports.measures.task import Choices, Task
from direction_finder.samples import Samples
from tests.planted import planted


@pytest.fixture(scope="module")
def generator():
    return planted(4)


@pytest.fixture
def directions() -> Directions:
    return Directions(torch.eye(4), "coordinates")


@pytest.fixture
def nothing_drawn(generator, monkeypatch):
    def drawn(*_):
        raise AssertionError("a image was drawn")

    monkeypatch.setattr(type(generator), "run", drawn)


def test_how_many_latents_is_what_is_given_or_asked_for_or_usual(generator):
    given = Samples(torch.zeros(3, 1, 4))
    assert Task(generator).samples(100) == 100
    assert Task(generator, choices=Choices(samples=5)).samples(100) == 5
    assert Task(generator, sampling=Sampling(given=given), choices=Choices(samples=5)).samples(100) == 3


def test_it_says_what_is_measured(generator, directions):
    assert Task(generator).about == "planted"
    assert Task(generator, directions).about == "coordinates directions in planted"
    assert Task(generator, sampling=Sampling(seed=7)).seed == 7
    assert Task(generator).class_name == "random classes"


def test_what_is_missing_is_said_when_it_is_needed(generator, directions):
    task = Task(generator)
    for asked, words in (
        (lambda: task.found, "planted: this metric measures directions, and there are none"),
        (lambda: task.reader, "needs a factor network"),
        (lambda: task.seen, "give a data set or a folder of images as `real`"),
    ):
        with pytest.raises(InputError, match=words):
            asked()
    assert Task(generator, directions).found is directions


def test_a_task_is_a_value(generator):
    with pytest.raises(dataclasses.FrozenInstanceError):
        Task(generator).directions = None


@pytest.mark.usefixtures("nothing_drawn")
@pytest.mark.parametrize(
    ("metric", "given", "words"),
    [
        ("beauty", {}, r"^metric 'beauty': expected one of factors, alignment, diagonality, "),
        ("activeness", {"features": "lite"}, r"^`features` 'lite': expected lite0 or published$"),
        ("ppl", {"place": "middle"}, r"^`place` 'middle': expected end or full$"),
        ("activeness", {"samples": 1}, r"^`samples` 1: expected at least 2$"),
        ("activeness", {"samples": Samples(torch.zeros(1, 1, 4))}, r"^`samples` 1: expected at least 2$"),
        ("activeness", {"seed": -1}, r"^`seed` -1: expected a whole number, at least 0$"),
        ("activeness", {"max_batch": 0}, r"^`max_batch` 0: expected a whole number, at least 1$"),
        ("activeness", {"samples": 0}, r"^`samples` 0: expected at least 2$"),
        ("activeness", {"class_name": "cube"}, "the generator is unconditional"),
        ("fid", {}, "folder of images as `real`"),
        ("kid", {}, "folder of images as `real`"),
        ("fidelity", {}, "needs `renders` and `other_renders`"),
        ("factors", {"factor_network": "nowhere.safetensors"}, "no such file"),
        ("factors", {"reader": "eyes"}, r"^`reader` 'eyes': expected network or pixels$"),
        ("factors", {"reader": "pixels", "factor_network": "a.safetensors"}, "the reader `pixels` uses none"),
        ("factors", {"reader": "pixels"}, "images of 4 pixels, but the pixel reader reads 64"),
    ],
)
def test_what_cannot_be_measured_is_refused(metric, given, words, generator, directions):
    with pytest.raises(InputError, match=words):
        measure(generator, directions, metric, **given)


@pytest.mark.usefixtures("nothing_drawn")
@pytest.mark.parametrize("metric", [name for name, metric in METRICS.items() if metric.of_directions])
def test_metrics_of_directions_need_some(metric, generator):
    with pytest.raises(InputError, match="there are none"):
        measure(generator, None, metric)


@pytest.mark.usefixtures("nothing_drawn")
def test_directions_of_another_generator_are_refused(generator, directions):
    other = dataclasses.replace(directions, weights_sha256="0" * 64, generator="other")
    with pytest.raises(InputError, match="not in planted"):
        measure(generator, other, "activeness")
    with pytest.raises(InputError, match="5 dimensions"):
        measure(generator, Directions(torch.eye(5), "random"), "activeness")


def test_the_class_is_that_of_the_directions_unless_one_is_named(generator, directions, monkeypatch):
    tasks = []
    monkeypatch.setattr("direction_finder.reports.measures.take", lambda task, name: tasks.append(task))
    monkeypatch.setattr(type(generator), "class_index", lambda self, name: {"a": 0, "b": 1}[name])
    monkeypatch.setattr(generator, "num_classes", 2)
    bound = dataclasses.replace(directions, class_index=1)
    for given, name in ((bound, None), (bound, "a"), (directions, None), (None, "b")):
        measure(generator, given, "activeness", class_name=name, seed=3, max_batch=5)
    assert [task.sampling.class_index for task in tasks] == [1, 0, None, 1]
    assert {(task.sampling.seed, task.sampling.max_batch, task.network) for task in tasks} == {(3, 5, None)}


@pytest.mark.parametrize("metric", ["activeness", "diagonality", "share", "paths", "ppl"])
def test_a_generator_that_renders_no_numbers_is_one_line(metric, directions):
    broken = planted(4)
    broken.module.mixing.fill_(torch.nan)
    with pytest.raises(InputError, match=r"^planted: NaN or infinite values were measured; check its weights"):
        measure(broken, directions, metric, samples=3)


def test_given_samples_are_measured_and_not_drawn_ones(generator, directions):
    def values(samples: Samples, seed: int) -> list[float]:
        found = measure(generator, directions, "activeness", samples=samples, seed=seed)
        assert found.report["samples"] == len(samples)
        return [each["value"] for each in found.report["of"]]

    samples = generator.samples(3, seed=9)
    assert values(samples, 0) == values(samples, 1) != values(generator.samples(3, seed=8), 0)
