"""A ProGAN is scored when it is fully grown and it is time, and the best one is kept, also after a stop."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from direction_finder.errors import MissingExtra
from direction_finder.generators.networks.progan import ProGAN
from direction_finder.progress import Progress
from direction_finder.runs import best_checkpoint
from direction_finder.runs.best_checkpoint import BEST, BestCheckpoint
from direction_finder.runs.folder import Run

IMAGES = np.zeros((4, 8, 8, 3), np.uint8)
NETWORK = ProGAN(3, (6, 4))


class Scored:
    """In the place of `Reference`: gives the distances that it was told, and keeps what it was asked."""

    distances: list[float]
    asked: list[tuple]

    def __init__(self, images, samples, seed):
        self.about = (images.shape, samples, seed)

    def distance(self, draw, dim) -> float:
        Scored.asked.append((draw(torch.zeros(2, dim)).shape, dim))
        return Scored.distances.pop(0)


@pytest.fixture(autouse=True)
def scored(monkeypatch):
    Scored.asked, Scored.distances = [], []
    monkeypatch.setattr(best_checkpoint, "Reference", Scored)
    return Scored


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.create(tmp_path, {})


def at(kimg: float, grown: float = 1.0, mark: float = 0.0, step: int = 1) -> Progress:
    """A step of a training of ten. mark: what tells one generator's weights from another's."""

    def weights() -> dict[str, torch.Tensor]:
        return {name: tensor.detach() + mark for name, tensor in NETWORK.state_dict().items()}

    return Progress(step, 10, "training", {"kimg": kimg, "level": grown}, weights=weights)


def judged(judge: BestCheckpoint, *steps: Progress) -> list[float | None]:
    for step in steps:
        judge(step)
    return [step.values.get("frechet") for step in steps]


def a_judge(run: Run, every: float = 10, notes: list[str] | None = None) -> BestCheckpoint:
    return BestCheckpoint(run, IMAGES, 7, every, 50, ([] if notes is None else notes).append)


def test_it_scores_when_it_is_time_and_at_the_end(run, scored):
    scored.distances = [5.0, 4.0, 3.0]
    steps = [at(9), at(10), at(19), at(20), at(21), at(22, step=10)]
    assert judged(a_judge(run), *steps) == [None, 5.0, None, 4.0, None, 3.0]
    assert scored.asked[0] == ((2, 3, 8, 8), 3)


def test_only_what_is_fully_grown_is_scored(run, scored):
    scored.distances = [5.0]
    assert judged(a_judge(run), at(30, 0.0), at(30, 0.9), at(30, 0.9, step=10), at(30)) == [None, None, None, 5.0]


def test_the_best_is_kept(run, scored):
    scored.distances = [5.0, 6.0, 4.0, 4.0]
    found = a_judge(run)
    expected = []
    for kimg, best in ((10, 10), (20, 10), (30, 30), (40, 30)):
        judged(found, at(kimg, mark=kimg))
        expected.append(best)
        kept = load_file(run.folder / BEST)["layer0.bias"]
        assert torch.allclose(kept, NETWORK.layer0.bias + expected[-1])
    assert found.best == 4.0


def test_the_log_tells_a_resumed_run_what_was_best_and_when_it_was_scored(run, scored):
    lines = [{"step": 1, "kimg": 10, "frechet": 3.0}, {"step": 2, "kimg": 15}, {"step": 3, "kimg": 20, "frechet": 4.0}]
    run.log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (run.folder / BEST).touch()
    scored.distances = [3.5, 2.5]
    assert judged(a_judge(run), at(29), at(30)) == [None, 3.5] and not (run.folder / BEST).stat().st_size
    assert judged(a_judge(run), at(30)) == [2.5] and (run.folder / BEST).is_file()


def test_a_score_is_of_so_many_images_of_a_seed(run):
    assert a_judge(run).reference.about == (IMAGES.shape, 50, 7)


def test_without_scores_nothing_is_computed(run, scored):
    assert judged(a_judge(run, every=0), at(50), at(60, step=10)) == [None, None]
    assert scored.asked == []


def test_without_the_network_it_is_noted_and_the_training_goes_on(run, monkeypatch):
    def missing(*_):
        raise MissingExtra("a feature distance", "measure")

    monkeypatch.setattr(best_checkpoint, "Reference", missing)
    notes: list[str] = []
    assert judged(a_judge(run, notes=notes), at(50)) == [None]
    (note,) = notes
    assert note.startswith("The images are not scored: a feature distance needs pip install")
