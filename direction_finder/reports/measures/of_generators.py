"""Metrics of generators, and of the generators of runs."""

from collections.abc import Iterator

from direction_finder.metrics import path_length
from direction_finder.metrics.features import INCEPTION, LPIPS
from direction_finder.metrics.frechet import frechet_distance
from direction_finder.metrics.intervals import Value
from direction_finder.metrics.kernel import kernel_distance
from direction_finder.metrics.parts import under
from direction_finder.reports.measures.measurement import Cell, Metric, Quantity, Report
from direction_finder.reports.measures.of_directions import path_settings
from direction_finder.reports.measures.task import Task

DISTANCES = {  # with the published networks, and with others
    "ppl": ("PPL", "path length"),
    "fid": ("FID", "Frechet distance"),
    "kid": ("KID", "kernel distance"),
}


def fid(task: Task) -> Report:
    drawn, real, about = task.seen
    return {"value": frechet_distance(drawn, real), **about}


def _fid_lines(report: Report, about: str) -> Iterator[str]:
    yield f"  {called('fid', report)}, {report['samples']} pictures: {report['value']:.3f}"


def kid(task: Task) -> Report:
    drawn, real, about = task.seen
    return {**vars(kernel_distance(drawn, real, seed=task.seed)), **about}


def _kid_lines(report: Report, about: str) -> Iterator[str]:
    said = f"{report['value']:.3g} [{report['low']:.3g}, {report['high']:.3g}]"
    yield f"  {called('kid', report)}, {report['samples']} pictures: {said}"


def ppl(task: Task) -> Report:
    similarity, name = task.similarity
    samples = task.samples(1000)
    found = path_length.path_lengths(
        task.generator,
        similarity,
        task.sampling,
        samples=samples,
        at=task.choices.place,
        keep=under(task.keep, "path"),
        on_step=task.on_step,
    )
    value = path_length.trimmed_mean(found, task.seed)
    return {**vars(value), **path_settings(name, samples, task.seed), "place": task.choices.place}


def _ppl_lines(report: Report, about: str) -> Iterator[str]:
    value = Value(report["value"], report["low"], report["high"])
    yield f"  {called('ppl', report)}, {report['samples']} paths: {value}"


def called(name: str, about: Report) -> str:
    """What a distance is called, and its network: by its published name only with the published network."""
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
