"""Estimate what a training costs, from a few of its steps that are carried out."""

import time
from typing import Any

import torch

from direction_finder.discovery.estimates import Cost
from direction_finder.discovery.peak_memory import PeakMeter
from direction_finder.discovery.tuning import GIB
from direction_finder.errors import MissingExtra
from direction_finder.metrics.reference import BATCH, Reference
from direction_finder.randomness import stream
from direction_finder.runs.trainers import Work, flushed, model_of
from direction_finder.training.loop import Stage, Trainer
from direction_finder.training.progan import ProGANTrainer
from direction_finder.training.state import Networks, start_from


def estimate(work: Work, config: Any) -> Cost:
    """Return what a training would cost. Its passes are the images of the data that it shows.

    Previews, saved states, and what is measured of a finished model are not counted. Memory is that of the whole
    process, with everything that is loaded now.
    """
    memory = PeakMeter(torch.device(work.device))
    memory.start()
    trainer = model_of(work.run).trainer(work, config)
    if work.start:
        assert isinstance(trainer.players, Networks)
        start_from(trainer.players, work.start)
    stages = trainer.stages()
    with flushed(work.run.config["model"]):
        seconds = sum(stage.number * _seconds(trainer, stage) for stage in stages)
    if isinstance(trainer, ProGANTrainer):
        seconds += _scoring(work, trainer)
    images = sum(stage.number * stage.images for stage in stages)
    return Cost(images, seconds, max(memory.base + memory.need(), memory.highest) / GIB)


def _seconds(trainer: Trainer, stage: Stage) -> float:
    """Return the mean seconds of some steps of a stage, apart from the first."""
    times = []
    for step in stage.like:
        began = time.perf_counter()
        trainer.step(step, stream(trainer.seed, f"step {step}"))
        trainer.follow(step)
        times.append(time.perf_counter() - began)
    return sum(times[1:] or times) / len(times[1:] or times)


def _scoring(work: Work, trainer: ProGANTrainer) -> float:
    """Return the seconds of scoring a ProGAN as often as it is due, judging by one batch of images."""
    every, samples = work.upkeep.score_every, min(work.upkeep.score_samples, len(work.images))
    if not every:
        return 0.0
    try:
        reference = Reference(work.images, BATCH, trainer.seed)
    except MissingExtra:  # they are not scored either
        return 0.0
    began = time.perf_counter()
    reference.features(trainer.preview(trainer.total)[:1].expand(BATCH, -1, -1, -1))
    batch = time.perf_counter() - began
    reference.distance(lambda z: trainer.players.average(z, trainer.levels - 1), trainer.config.z_dim)
    solving = time.perf_counter() - began - 2 * batch
    grown = trainer.phases[-1].steps * trainer.phases[-1].batch / 1000
    scores = 1 + int(grown // every)
    return scores * (batch * samples / BATCH + solving) + batch * samples / BATCH
