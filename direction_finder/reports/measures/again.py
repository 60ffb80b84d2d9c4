"""Compute reports of a run again from its raw measurements, without its generator."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from direction_finder.class_names import resolve_class
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.generators.base import class_phrase
from direction_finder.reports.measures import METRICS, scored
from direction_finder.reports.measures.measurement import Measurement
from direction_finder.reports.measures.raw import Raw, raw_path, read_raw
from direction_finder.runs.folder import FOUND, Run
from direction_finder.runs.loading import read_directions
from direction_finder.samples import Samples


def measure_again(
    run: str | Path,
    metric: str = "factors",
    *,
    samples: int | Samples | None = None,
    seed: int | None = None,
    class_name: str | int | None = None,
) -> Measurement:
    """Compute a metric again from the raw measurements that `measure` saved in a run, without the generator.

    run: a run folder, or a directions file whose folder has raw measurements. samples, seed, class_name: None for those
    of the raw measurements.

    >>> df.measure_again("outputs/demo", "factors")

    Raises InputError if there are no raw measurements, or if they are of other directions or settings.
    """
    if not isinstance(metric, str) or metric not in METRICS:
        raise InputError(f"metric {metric!r}: expected one of {', '.join(METRICS)}")
    known = METRICS[metric]
    folder, directions = opened(Path(run))
    path = raw_path(folder, known.layout)
    if not path.is_file():
        raise InputError(
            f"{path}: no raw measurements of {metric}, which versions before 0.3 did not save; run `measure` without "
            "`again` once"
        )
    raw = read_raw(path, known.layout)
    different = [
        *(_other_directions(raw, directions) if known.of_directions else ()),
        *_other_weights(raw, directions),
        *_other_settings(raw, raw.count(known.layout), samples, seed, class_name),
    ]
    if different:
        raise InputError(f"{path}: {' and '.join(different)}; run `measure` without `again`")
    return scored(raw, metric, directions)


def opened(path: Path) -> tuple[Path, Directions]:
    """Return the folder and the directions of a run folder or a directions file, without loading the generator."""
    if path.is_file():
        return path.parent, Directions.load(path)
    run = Run.open(path, FOUND, "learn or import")
    return run.folder, read_directions(run)


def _other_directions(raw: Raw, directions: Directions) -> Iterator[str]:
    if raw.origin["directions_sha256"] != directions.sha256:
        yield "measured along other directions"


def _other_weights(raw: Raw, directions: Directions) -> Iterator[str]:
    if directions.weights_sha256 not in (None, raw.origin["weights_sha256"]):
        yield "measured in other weights of the generator"


def _other_settings(
    raw: Raw, count: int, samples: int | Samples | None, seed: int | None, class_name: str | int | None
) -> Iterator[str]:
    """Describe the settings that are not None and differ from those of raw measurements at `count` samples."""
    origin = raw.origin
    if isinstance(samples, Samples):
        if origin["samples_sha256"] != samples.sha256:
            yield "measured at other samples than those in the file"
    elif samples is not None and (origin["samples_sha256"] or samples not in (count, origin["samples"])):
        yield f"measured at {count} samples{' of a file' if origin['samples_sha256'] else ''}, not {samples}"
    if seed not in (None, origin["seed"]):
        yield f"measured with seed {origin['seed']}, not {seed}"
    if class_name is not None and not _is_class(origin, str(class_name)):
        yield f"measured for {_class(origin)}, not {class_phrase(str(class_name))}"


def _class(origin: dict[str, Any]) -> str:
    return origin["class"] if origin["class_index"] is None else class_phrase(origin["class"])


def _is_class(origin: dict[str, Any], text: str) -> bool:
    """Return whether a name, part of a name or number means the class of raw measurements."""
    if origin["class_index"] is None:
        return False
    if text.isdigit():
        return int(text) == origin["class_index"]
    try:
        return resolve_class([origin["class"]], text) == 0
    except InputError:
        return False
