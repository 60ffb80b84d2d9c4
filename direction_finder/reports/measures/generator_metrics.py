"""Measure generators, alone or as those of runs."""

from collections.abc import Iterator

from direction_finder.metrics import path_length
from direction_finder.metrics.features import INCEPTION, LPIPS
from direction_finder.metrics.frechet import frechet_distance
from direction_finder.metrics.intervals import Value
from direction_finder.metrics.kernel import kernel_distance
from direction_finder.metrics.resumable import prefixed
from direction_finder.reports.measures.direction_metrics import path_settings
from direction_finder.reports.measures.measurement import Cell, Metric, Quantity, Report
from direction_finder.reports.measures.task import Task

DISTANCES = {  # names with the published networks, and with others
    "ppl": ("PPL", "path length"),
    "fid": ("FID", "Frechet distance"),
    "kid": ("KID", "kernel distance"),
}


def fid(task: Task) -> Report:
    """Measure the Frechet distance between generated and real images."""
    generated, real, about = task.seen
    return {"value": frechet_distance(generated, real), **about}


def _fid_lines(report: Report, about: str) -> Iterator[str]:
    yield f"  {called('fid', report)}, {report['samples']} images: {report['value']:.3f}"


def kid(task: Task) -> Report:
    """Measure the kernel distance between generated and real images."""
    generated, real, about = task.seen
    return {**vars(kernel_distance(generated, real, seed=task.seed)), **about}


def _kid_lines(report: Report, about: str) -> Iterator[str]:
    text = f"{report['value']:.3g} [{report['low']:.3g}, {report['high']:.3g}]"
    yield f"  {called('kid', report)}, {report['samples']} images: {text}"


def ppl(task: Task) -> Report:
    """Measure the perceptual path length of a generator."""
    similarity, name = task.similarity
    samples = task.samples(1000)
    lengths = path_length.path_lengths(
        task.generator,
        similarity,
        task.sampling,
        samples=samples,
        at=task.choices.place,
        cache=prefixed(task.cache, "path"),
        on_step=task.on_step,
    )
    value = path_length.trimmed_mean(lengths, task.seed)
    return {**vars(value), **path_settings(name, samples, task.seed), "place": task.choices.place}


def _ppl_lines(report: Report, about: str) -> Iterator[str]:
    value = Value(report["value"], report["low"], report["high"])
    yield f"  {called('ppl', report)}, {report['samples']} paths: {value}"


def called(name: str, about: Report) -> str:
    """Return the name of a distance with its network; the published name is used only with the published network."""
    published, otherwise = DISTANCES[name]
    return f"{published if about['features'] in (INCEPTION, LPIPS) else otherwise} ({about['features']})"


def _cells(name: str, low: float | None, report: Report) -> Iterator[Cell]:
    interval = f" [{report['low']:.4g}, {report['high']:.4g}]" if "low" in report else ""
    quantity = Quantity(called(name, report), "lower", low)
    yield Cell(quantity, report["value"], f"{report['value']:.4g}{interval}")


METRICS = (
    Metric("ppl", ppl, _ppl_lines, lambda report: _cells("ppl", 0, report), of_directions=False),
    Metric("fid", fid, _fid_lines, lambda report: _cells("fid", 0, report), of_directions=False),
    Metric("kid", kid, _kid_lines, lambda report: _cells("kid", None, report), of_directions=False),
)
