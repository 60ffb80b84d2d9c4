"""Train each kind of model and write its results into the run folder."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save

from direction_finder import torchrun
from direction_finder.datasets import Dataset, Factor
from direction_finder.errors import InputError
from direction_finder.files import CONFIG, replacing, write_json
from direction_finder.generators.autoencoder import load_autoencoder
from direction_finder.generators.biggan_deep import WEIGHTS
from direction_finder.generators.weights import State
from direction_finder.progress import Progress
from direction_finder.runs.best_checkpoint import BestCheckpoint
from direction_finder.runs.folder import Run
from direction_finder.runs.recorder import Recorder
from direction_finder.settings import ST_RKM, VAE
from direction_finder.training import biggan, progan
from direction_finder.training.autoencoder_config import StRKMConfig, VAEConfig
from direction_finder.training.loop import Trainer
from direction_finder.training.loop import run as train
from direction_finder.training.st_rkm import StRKMTrainer
from direction_finder.training.state import snapshot
from direction_finder.training.vae import VAETrainer

GENERATOR, SNAPSHOT, COLUMNS = "generator", "snapshot.safetensors", "columns.safetensors"


@dataclass(frozen=True)
class Upkeep:
    """Hold the settings that may change when a training resumes, because they do not affect the weights.

    preview_every: steps between sheets of samples; save_every: seconds between states; half: write a BigGAN-deep in
    half precision; score_every, score_samples: kimg between scores of a ProGAN, and the number of images for each.
    """

    preview_every: int = 250
    save_every: float = 120.0
    half: bool = False
    score_every: float = 25.0
    score_samples: int = 1000


class Work(NamedTuple):
    """Hold everything that a training needs: the run, its images, a state to resume from, and a callback for notes.

    start: weights of a snapshot to begin with.
    """

    run: Run
    images: np.ndarray
    state: State | None
    start: State | None
    upkeep: Upkeep
    on_note: Callable[[str], None]

    @property
    def device(self) -> str:
        """Return the device that the run uses."""
        return self.run.config["device"]


def labelled(folder: str | Path, label: str) -> tuple[Dataset, Factor]:
    """Return a data set and the factor that is its class. Raises InputError if that factor is not a class."""
    data = Dataset.open(folder)
    factor = data.factor(label)
    if not factor.choices:
        raise InputError(f"`label` {label}: a number, not a class")
    return data, factor


def _biggan(work: Work, config: biggan.BigGANConfig) -> biggan.BigGANTrainer:
    recorded = work.run.config["data"]
    data, factor = labelled(recorded["folder"], recorded["label"])
    return biggan.BigGANTrainer(work.images, data.values[factor.name], list(factor.choices), config, work.device)


def _progan(work: Work, config: progan.ProGANConfig) -> progan.ProGANTrainer:
    return progan.ProGANTrainer(work.images, config, work.device, work.run.config["start"] is not None)


def _st_rkm(work: Work, config: StRKMConfig) -> StRKMTrainer:
    return StRKMTrainer(work.images, config, work.device)


def _vae(work: Work, config: VAEConfig) -> VAETrainer:
    return VAETrainer(work.images, config, work.device)


def _train_biggan(work: Work, config: biggan.BigGANConfig, recorder: Recorder) -> None:
    run, trainer = work.run, _biggan(work, config)
    train(trainer, on_step=recorder, resume=work.state, start=work.start)
    players = trainer.players
    _write_snapshot(run, players)
    if recorder.stopped:
        return
    weights = biggan.finished(players, config, recorder)
    content = biggan.package_config(config, run.config["data"]["resolution"], trainer.class_names)
    write_json(run.folder / GENERATOR / CONFIG, content)
    buffer = io.BytesIO()  # a file would hold its own name, that of a temporary
    torch.save({name: tensor.half() for name, tensor in weights.items()} if work.upkeep.half else weights, buffer)
    with replacing(run.folder / GENERATOR / WEIGHTS) as part:
        part.write_bytes(buffer.getbuffer())


def _train_progan(work: Work, config: progan.ProGANConfig, recorder: Recorder) -> None:
    run, upkeep = work.run, work.upkeep
    with torchrun.alone():  # the others wait while the first process scores
        best = BestCheckpoint(run, work.images, config.seed, upkeep.score_every, upkeep.score_samples, work.on_note)
    start_time, start_kimg = time.monotonic(), None

    def on_step(progress: Progress) -> None:
        nonlocal start_kimg
        start_kimg = progress.values["kimg"] if start_kimg is None else start_kimg
        best(progress)
        if progress.values["kimg"] > start_kimg:
            seconds, kimg = time.monotonic() - start_time, progress.values["kimg"] - start_kimg
            progress.values["seconds_per_kimg"] = seconds / kimg
        recorder(progress)
        _write_last(run, progress)

    trainer = _progan(work, config)
    train(trainer, on_step=on_step, resume=work.state, start=work.start)
    _write_snapshot(run, trainer.players)


def _train_autoencoder(work: Work, config: Any, recorder: Recorder) -> None:
    run, model = work.run, work.run.config["model"]
    trainer = MODELS[model].trainer(work, config)

    def on_step(progress: Progress) -> None:
        recorder(progress)
        if file := _write_last(run, progress):
            load_autoencoder(file, model, name=f"{model}:{file.resolve()}").columns().save(run.folder / COLUMNS)

    with flushed(model):
        train(trainer, on_step=on_step, resume=work.state)


@contextmanager
def flushed(model: str) -> Iterator[None]:
    """Turn denormal numbers into 0 while an autoencoder is trained: dark images make many.

    Without them, steps are up to eight times faster.
    """
    torch.set_flush_denormal(model in (ST_RKM, VAE))
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _write_last(run: Run, progress: Progress) -> Path | None:
    """Write the generator after the last step, and return its file; do nothing after any other step."""
    if not progress.weights or not (progress.step == progress.total or progress.stopped):
        return None
    file = run.folder / f"{GENERATOR}.safetensors"
    with replacing(file) as part:
        part.write_bytes(save(progress.weights()))
    return file


def _write_snapshot(run: Run, players: torch.nn.Module) -> None:
    with replacing(run.folder / SNAPSHOT) as part:
        part.write_bytes(save(snapshot(players)))


class Model(NamedTuple):
    """Describe a kind of model that can be trained.

    title: its name; config: its settings; longer: the setting that makes a run longer; work: the function that trains
    it; spec: the name of the trained generator for `load_generator`, with {} for the run folder; trainer: returns the
    trainer that `work` uses.
    """

    title: str
    config: type
    longer: str
    work: Callable[[Work, Any, Recorder], None]
    spec: str
    trainer: Callable[[Work, Any], Trainer]


MODELS = {
    "biggan": Model(
        "BigGAN-deep", biggan.BigGANConfig, "steps", _train_biggan, f"biggan-deep:{{}}/{GENERATOR}", _biggan
    ),
    "progan": Model(
        "ProGAN", progan.ProGANConfig, "kimg", _train_progan, f"progan:{{}}/{GENERATOR}.safetensors", _progan
    ),
    ST_RKM: Model(
        "St-RKM", StRKMConfig, "steps", _train_autoencoder, f"{ST_RKM}:{{}}/{GENERATOR}.safetensors", _st_rkm
    ),
    VAE: Model("autoencoder", VAEConfig, "steps", _train_autoencoder, f"{VAE}:{{}}/{GENERATOR}.safetensors", _vae),
}


STARTED = ("biggan", "progan")  # models that can begin with a snapshot


def model_of(run: Run) -> Model:
    """Return the model that a run trains. Raises InputError if this version does not know it."""
    name = run.config["model"]
    if name not in MODELS:
        raise InputError(f"{run.folder}: trains model {name!r}; this version has {', '.join(MODELS)}")
    return MODELS[name]


def trained_spec(run: Run) -> str:
    """Return the name for `load_generator` of the generator that a run trained."""
    return model_of(run).spec.format(run.folder)


def lost(run: Run) -> list[str]:
    """Return the results that a finished training should have left in its folder but that are not there."""
    generator = Path(trained_spec(run).partition(":")[2])
    model = run.config["model"]
    files = [generator / CONFIG, generator / WEIGHTS] if model == "biggan" else [generator]
    beside = SNAPSHOT if model in STARTED else COLUMNS
    return [str(path.relative_to(run.folder)) for path in [*files, run.folder / beside] if not path.is_file()]


def verb(run: Run) -> str:
    """Return the command that makes such runs, e.g. "train progan"."""
    model = run.config["model"]
    return "finetune" if model == "progan" and run.config["start"] else f"train {model}"
