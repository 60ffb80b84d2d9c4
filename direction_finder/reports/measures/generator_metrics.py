"""Measure generators, alone or as those of runs."""

from collections.abc import Iterator

from direction_finder.metrics import path_length
from direction_finder.metrics.features import INCEPTION, LPIPS
from direction_finder.metrics.frechet import frechet_distance
from direction_finder.metrics.intervals import Value
from direction_finder.metrics.kernel import kernel_distance
from direction_finder.reports.measures import layouts
from direction_finder.reports.measures.measurement import Cell, Metric, Quantity, Report
from direction_finder.reports.measures.raw import Raw
from direction_finder.reports.measures.task import Task
from direction_finder.resumable import prefixed

DISTANCES = {  # names with the published networks, and with others
    "ppl": ("PPL", "path length"),
    "fid": ("FID", "Frechet distance"),
    "kid": ("KID", "kernel distance"),
}


def look(task: Task) -> Raw:
    """Compute the features of generated and of real images."""
    generated, real, settings = task.seen
    return Raw({"generated": generated, "real": real}, settings)


def fid(raw: Raw) -> Report:
    """Compute the Frechet distance between generated and real images."""
    return {"value": frechet_distance(raw.tensors["generated"], raw.tensors["real"]), **_about(raw)}


def _about(raw: Raw) -> Report:
    return {**raw.settings, "samples": len(raw.tensors["real"]), "seed": raw.seed}


def _fid_lines(report: Report, about: str) -> Iterator[str]:
    yield f"  {called('fid', report)}, {report['samples']} images: {report['value']:.3f}"


def kid(raw: Raw) -> Report:
    """Compute the kernel distance between generated and real images."""
    return {**vars(kernel_distance(raw.tensors["generated"], raw.tensors["real"], seed=raw.seed)), **_about(raw)}


def _kid_lines(report: Report, about: str) -> Iterator[str]:
    text = f"{report['value']:.3g} [{report['low']:.3g}, {report['high']:.3g}]"
    yield f"  {called('kid', report)}, {report['samples']} images: {text}"


def walk(task: Task) -> Raw:
    """Measure the lengths of paths between random latents."""
    similarity, name = task.similarity
    lengths = path_length.path_lengths(
        task.generator,
        similarity,
        task.sampling,
        samples=task.samples(1000),
        at=task.choices.place,
        cache=prefixed(task.cache, "path"),
        on_step=task.on_step,
    )
    settings = {"features": name, "epsilon": path_length.EPSILON, "place": task.choices.place}
    return Raw({"lengths": lengths}, settings)


def ppl(raw: Raw) -> Report:
    """Compute the perceptual path length of a generator: the mean of lengths without the shortest and the longest."""
    lengths = raw.tensors["lengths"]
    value = path_length.trimmed_mean(lengths, raw.seed)
    return {**vars(value), **raw.settings, "samples": len(lengths), "seed": raw.seed}


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
    Metric("ppl", layouts.PPL, walk, ppl, _ppl_lines, lambda report: _cells("ppl", 0, report), of_directions=False),
    Metric(
        "fid", layouts.FEATURES, look, fid, _fid_lines, lambda report: _cells("fid", 0, report), of_directions=False
    ),
    Metric(
        "kid", layouts.FEATURES, look, kid, _kid_lines, lambda report: _cells("kid", None, report), of_directions=False
    ),
)
