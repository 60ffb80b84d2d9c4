"""The metrics that `measure` knows, by their names, and which figures they have."""

from collections.abc import Callable, Mapping
from pathlib import Path

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.generators.shipped import shipped
from direction_finder.metrics.factor_network import NETWORK, FactorNetwork
from direction_finder.metrics.samples import Sampling
from direction_finder.progress import Reporting, reporting
from direction_finder.reports.measures import of_directions, of_factors, of_generators
from direction_finder.reports.measures.measurement import Measurement, Metric, Quantity, Report
from direction_finder.reports.measures.task import Choices, Task
from direction_finder.runs.target import class_index, fitting
from direction_finder.samples import Samples
from direction_finder.settings import FEATURES, PLACES

__all__ = [
    "FIGURES",
    "METRICS",
    "SIDE_BY_SIDE",
    "TOGETHER",
    "Choices",
    "Measurement",
    "Metric",
    "Quantity",
    "Report",
    "Task",
    "measure",
    "read_network",
    "take",
]

METRICS = {
    metric.name: metric
    for metric in (
        *of_factors.METRICS,
        *of_directions.METRICS,
        *of_generators.METRICS,
        *of_factors.OF_GENERATORS,
    )
}
FIGURES: dict[str, Callable[[Task, Report, Path], None]] = {
    "factors": of_factors.draw_effects,
    "hessians": of_directions.draw_hessians,
    "activeness": of_directions.draw_activeness,
}
SIDE_BY_SIDE: dict[str, Callable[[Mapping[str, Report], Path], None]] = {"activeness": of_directions.side_by_side}
TOGETHER = "measures"  # stem of the files that tell of all targets together


def take(task: Task, name: str) -> Measurement:
    """Take one metric."""
    return Measurement(METRICS[name], METRICS[name].take(task), task.about)


def read_network(path: str | Path | None = None) -> FactorNetwork:
    """A factor network; by default the one for `shapes` at 64 pixels."""
    return FactorNetwork.load(path or shipped(NETWORK))


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
    progress: Reporting = None,
) -> Measurement:
    """Measure directions in a generator, or a generator alone.

    metric: "factors", "alignment", "hessians" (D% and D_R), "share", "activeness" or "paths" of directions; "ppl",
    "fid", "kid" or "fidelity" of a generator. class_name: None for that of the directions, or random classes. samples:
    how many latents, or which (None: as many as the metric usually takes). features: "lite0" or "published" networks
    for distances of pictures, weights: where those lie. real: pictures for fid and kid. place: where on a path ppl is
    measured. renders, other_renders: data sets for fidelity. factor_network: what reads the factors.

    >>> print(df.measure(generator, directions, "hessians"))
    >>> df.measure(generator, directions, "factors", class_name="cube").plot()

    Raises InputError for a metric that there is not, or that lacks what it needs.
    """
    if metric not in METRICS:
        raise InputError(f"metric {metric!r}: expected one of {', '.join(METRICS)}")
    for option, value, known in (("features", features, FEATURES), ("place", place, PLACES)):
        if value not in known:
            raise InputError(f"`{option}` {value!r}: expected {' or '.join(known)}")
    if isinstance(samples, int) and samples < 1:
        raise InputError(f"`samples` {samples}: expected at least 1")
    if directions is not None:
        directions, generator = fitting(directions, generator)
    given = samples if isinstance(samples, Samples) else None
    choices = Choices(
        None if isinstance(samples, Samples) else samples,
        features,
        _path(weights),
        _path(real),
        place,
        _path(renders),
        _path(other_renders),
    )
    network = read_network(factor_network).to(generator.device) if METRICS[metric].network else None
    name = None if class_name is None else str(class_name)
    with reporting(progress) as on_step:
        task = Task(
            generator,
            directions,
            Sampling(class_index(generator, directions, name), seed, max_batch, given),
            choices,
            network,
            on_step=on_step,
        )
        return take(task, metric)


def _path(path: str | Path | None) -> Path | None:
    return Path(path) if path else None
