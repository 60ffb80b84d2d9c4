"""Measure directions and generators: the metrics by name, and their figures."""

import dataclasses
from pathlib import Path

import torch

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.generators.shipped import shipped
from direction_finder.metrics.factor_network import NETWORK, FactorNetwork
from direction_finder.metrics.pixel_reader import PixelReader
from direction_finder.metrics.reader import Reader
from direction_finder.metrics.samples import Sampling
from direction_finder.progress import Reporting, reporting
from direction_finder.reports.measures import direction_metrics, factor_metrics, generator_metrics
from direction_finder.reports.measures.measurement import Measurement, Metric, Quantity, Report
from direction_finder.reports.measures.raw import Raw
from direction_finder.reports.measures.task import Choices, Task
from direction_finder.runs.loading import class_index, fitting
from direction_finder.samples import Samples
from direction_finder.settings import FEATURES, PLACES, READERS

__all__ = [
    "METRICS",
    "TOGETHER",
    "Choices",
    "Measurement",
    "Metric",
    "Quantity",
    "Report",
    "Task",
    "measure",
    "read_network",
    "scored",
    "take",
]

METRICS = {
    metric.name: metric
    for metric in (
        *factor_metrics.METRICS,
        *direction_metrics.METRICS,
        *generator_metrics.METRICS,
        *factor_metrics.OF_GENERATORS,
    )
}
FEWEST = 2  # samples, because one has no spread
TOGETHER = "measures"  # stem of the files that cover all targets together


def check_number(samples: int) -> None:
    """Raise InputError for a number of samples that is too small to measure."""
    if samples < FEWEST:
        raise InputError(f"`samples` {samples}: expected at least {FEWEST}")


def take(task: Task, name: str) -> Measurement:
    """Compute one metric of `METRICS`."""
    check_number(task.samples(FEWEST))
    raw = dataclasses.replace(METRICS[name].take(task), origin=task.origin)
    return scored(raw, name, task.directions)


def scored(raw: Raw, name: str, directions: Directions | None = None) -> Measurement:
    """Compute one metric of `METRICS` from raw measurements. directions: their names are added to the report.

    Raises InputError if NaN or infinite values were measured.
    """
    metric = METRICS[name]
    if not all(bool(torch.isfinite(tensor).all()) for tensor in raw.tensors.values()):
        raise InputError(
            f"{raw.origin['generator']}: NaN or infinite values were measured; check its weights and outputs"
        )
    report = metric.score(raw)
    if directions is not None and metric.of_directions and any(directions.names):
        report["direction_names"] = list(directions.names)
    return Measurement(metric, report, raw.origin["about"], raw)


def read_network(path: str | Path | None = None, reader: str = "network") -> Reader:
    """Load what reads factors: "network" or "pixels", which needs no network. Both are for `shapes` at 64 pixels.

    path: another factor network. Raises InputError if one is given to "pixels".
    """
    if reader == "network":
        return FactorNetwork.load(path or shipped(NETWORK))
    if path:
        raise InputError(f"factor network {path}: the reader `pixels` uses none; leave it out or choose `network`")
    return PixelReader()


def measure(
    generator: Generator,
    directions: Directions | None = None,
    metric: str = "factors",
    *,
    class_name: str | int | None = None,
    samples: int | Samples | None = None,
    seed: int = 0,
    max_batch: int = 32,
    features: str = "lite0",
    weights: str | Path | None = None,
    real: str | Path | None = None,
    place: str = "end",
    renders: str | Path | None = None,
    other_renders: str | Path | None = None,
    factor_network: str | Path | None = None,
    reader: str = "network",
    progress: Reporting = None,
) -> Measurement:
    """Measure directions in a generator, or a generator alone.

    metric: "factors", "alignment", "diagonality" (D% and D_R), "share", "activeness" or "paths" for directions; "ppl",
    "fid", "kid" or "fidelity" for a generator. class_name: None for the class of the directions, or random classes.
    samples: the number of latents, or the samples (None: the metric's usual number). features: "lite0" or "published",
    the network for distances of images; weights: the folder of the published ones. real: images for fid and kid. place:
    where on a path ppl is measured, "end" or "full". renders, other_renders: data sets for fidelity. factor_network: a
    file of the network that reads factors in images. reader: "network", or "pixels" for the reader without a network.

    >>> print(df.measure(generator, directions, "diagonality"))
    >>> df.measure(generator, directions, "factors", class_name="cube").plot()

    Raises InputError for an unknown metric, or one that lacks what it needs.
    """
    if not isinstance(directions, Directions | None):
        raise InputError(f"directions are {directions!r}: expected Directions, or None for a generator alone")
    if not isinstance(metric, str) or metric not in METRICS:
        raise InputError(f"metric {metric!r}: expected one of {', '.join(METRICS)}")
    for option, value, known in (
        ("features", features, FEATURES),
        ("place", place, PLACES),
        ("reader", reader, READERS),
    ):
        if value not in known:
            raise InputError(f"`{option}` {value!r}: expected {' or '.join(known)}")
    if isinstance(samples, int):
        check_number(samples)
    if directions is not None:
        directions, generator = fitting(directions, generator)
    chosen = samples if isinstance(samples, Samples) else None
    choices = Choices(
        None if isinstance(samples, Samples) else samples,
        features,
        _path(weights),
        _path(real),
        place,
        _path(renders),
        _path(other_renders),
    )
    network = read_network(factor_network, reader).to(generator.device) if METRICS[metric].network else None
    name = None if class_name is None else str(class_name)
    with reporting(progress) as on_step:
        task = Task(
            generator,
            directions,
            Sampling(class_index(generator, directions, name), seed, max_batch, chosen),
            choices,
            network,
            on_step=on_step,
        )
        return take(task, metric)


def _path(path: str | Path | None) -> Path | None:
    return Path(path) if path else None
