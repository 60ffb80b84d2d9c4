"""What a run of each kind of model trains, and what it leaves in its folder."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save

from direction_finder.datasets import Dataset, Factor
from direction_finder.errors import InputError
from direction_finder.files import CONFIG, replacing, write_json
from direction_finder.generators.biggan_deep import WEIGHTS
from direction_finder.generators.weights import State
from direction_finder.progress import Progress
from direction_finder.runs.folder import Run
from direction_finder.runs.judge import Judge
from direction_finder.runs.recorder import Recorder
from direction_finder.training import biggan, progan
from direction_finder.training.state import snapshot

GENERATOR, SNAPSHOT = "generator", "snapshot.safetensors"


@dataclass(frozen=True)
class Upkeep:
    """What may change when a training goes on: it does not touch the weights.

    preview_every: steps between sheets of samples; save_every: seconds between states; half: write a BigGAN-deep in
    half precision; score_every, score_samples: kimg between scores of a ProGAN, and pictures for each.
    """

    preview_every: int = 250
    save_every: float = 120.0
    half: bool = False
    score_every: float = 25.0
    score_samples: int = 1000


class Work(NamedTuple):
    """What there is to do: a run, its pictures, what it goes on from, and whom to tell what."""

    run: Run
    images: np.ndarray
    state: State | None
    start: State | None
    upkeep: Upkeep
    on_note: Callable[[str], None]

    @property
    def device(self) -> str:
        return self.run.config["device"]


def labelled(folder: str | Path, label: str) -> tuple[Dataset, Factor]:
    """A data set and its factor that is the class. Raises InputError if it has none."""
    data = Dataset.open(folder)
    factor = data.factor(label)
    if not factor.choices:
        raise InputError(f"`label` {label}: a number, not a class")
    return data, factor


def _train_biggan(work: Work, config: biggan.BigGANConfig, recorder: Recorder) -> None:
    run, recorded = work.run, work.run.config["data"]
    data, factor = labelled(recorded["folder"], recorded["label"])
    names = list(factor.choices)
    players = biggan.train(
        work.images,
        data.values[factor.name],
        names,
        config,
        device=work.device,
        on_step=recorder,
        resume=work.state,
        start=work.start,
    )
    _write_snapshot(run, players)
    if recorder.stopped:
        return
    weights = biggan.finished(players, config, recorder)
    content = biggan.package_config(config, recorded["resolution"], names)
    write_json(run.folder / GENERATOR / CONFIG, content)
    with replacing(run.folder / GENERATOR / WEIGHTS) as part:
        torch.save({name: tensor.half() for name, tensor in weights.items()} if work.upkeep.half else weights, part)


def _train_progan(work: Work, config: progan.ProGANConfig, recorder: Recorder) -> None:
    run, upkeep = work.run, work.upkeep
    judge = Judge(run, work.images, config.seed, upkeep.score_every, upkeep.score_samples, work.on_note)
    began, shown = time.monotonic(), None

    def on_step(progress: Progress) -> None:
        nonlocal shown
        shown = progress.values["kimg"] if shown is None else shown
        judge(progress)
        if progress.values["kimg"] > shown:
            progress.values["seconds_per_kimg"] = (time.monotonic() - began) / (progress.values["kimg"] - shown)
        recorder(progress)
        if progress.weights and (progress.step == progress.total or progress.stopped):
            with replacing(run.folder / f"{GENERATOR}.safetensors") as part:
                part.write_bytes(save(progress.weights()))

    players = progan.train(
        work.images,
        config,
        device=work.device,
        on_step=on_step,
        resume=work.state,
        start=work.start,
        grown=run.config["start"] is not None,
    )
    _write_snapshot(run, players)


def _write_snapshot(run: Run, players: torch.nn.Module) -> None:
    with replacing(run.folder / SNAPSHOT) as part:
        part.write_bytes(save(snapshot(players)))


class Model(NamedTuple):
    """A kind of model that is trained: what it is called, its settings, the one that a run can be prolonged by, the
    function that trains it, and the name of its generator to load, {} being the run folder."""

    title: str
    config: type
    longer: str
    work: Callable[[Work, Any, Recorder], None]
    spec: str


MODELS = {
    "biggan": Model("BigGAN-deep", biggan.BigGANConfig, "steps", _train_biggan, f"biggan-deep:{{}}/{GENERATOR}"),
    "progan": Model("ProGAN", progan.ProGANConfig, "kimg", _train_progan, f"progan:{{}}/{GENERATOR}.safetensors"),
}


def trained_spec(run: Run) -> str:
    """What to give to `load_generator` for the generator that a run trained."""
    return MODELS[run.config["model"]].spec.format(run.folder)


def verb(run: Run) -> str:
    """The command that makes such runs."""
    model = run.config["model"]
    return "finetune" if model == "progan" and run.config["start"] else f"train {model}"
