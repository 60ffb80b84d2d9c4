"""What `measure --dry-run` foretells: passes as they turn out to be, and seconds in proportion to the parts."""

import itertools
import json

import pytest
import torch

import direction_finder as df
from direction_finder.directions import Directions
from direction_finder.discovery.metering import metered
from direction_finder.metrics.features import Similarity
from direction_finder.metrics.samples import Sampling
from direction_finder.reports.measures import estimates, take
from direction_finder.reports.measures.estimates import Estimator
from direction_finder.reports.measures.saving import save
from direction_finder.reports.measures.task import Choices, Task
from tests.conftest import DIM, NUM_CLASSES, call

SAMPLES = 22  # in batches of 4, the last of which is smaller


def pixels() -> Similarity:
    return Similarity(lambda images: [images], lambda a, b: (a[0] - b[0]).flatten(1).square().sum(1))


@pytest.fixture
def task(dcgan_file, monkeypatch):
    monkeypatch.setattr(Task, "similarity", (pixels(), "pixels"))
    generator = df.load_generator(f"dcgan:{dcgan_file}", num_classes=NUM_CLASSES)
    directions = generator.fitted(Directions(torch.eye(DIM), "coordinates"))
    return Task(generator, directions, Sampling(max_batch=8), Choices(SAMPLES))


@pytest.mark.parametrize("name", ["diagonality", "share", "activeness", "paths", "ppl"])
def test_passes_are_those_of_the_measurement_with_its_figures(task, name, tmp_path):
    with metered(task.generator) as needed:
        save(take(task, name), tmp_path, task, on_note=print)
    with metered(task.generator) as used:
        cost = Estimator(task).cost(name)
    assert cost.images == needed.images > used.images and 0.05 < cost.gib < 20


def test_seconds_grow_with_the_parts(task, monkeypatch):
    clock = itertools.count()  # one second from one look at it to the next
    monkeypatch.setattr(estimates.time, "perf_counter", lambda: next(clock))
    taken = estimates.TAKEN + 1
    assert Estimator(task).cost("share").seconds == 1 + 2 * taken + (SAMPLES - taken)


def test_the_command_prints_what_each_metric_costs_and_writes_nothing(run_folder):
    before = {path: path.stat().st_mtime_ns for path in run_folder.rglob("*")}
    metrics = ("--metric", "share", "--metric", "activeness", "--samples", 30)
    dry = call("measure", run_folder, *metrics, "--dry-run")
    costs = json.loads(dry.stdout)[str(run_folder)]
    passes = {name: cost["passes"] for name, cost in costs.items()}
    assert passes.keys() == {"share", "activeness"} and passes["activeness"] == 3 * 30 * DIM
    assert f"about {sum(passes.values()):,} passes" in dry.stderr
    assert {path: path.stat().st_mtime_ns for path in run_folder.rglob("*")} == before
