"""Hold the values of each group of command-line options. This module does not import torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True)
class Loading:
    """Hold the options that say in what directions are found, and how it is loaded."""

    spec: str | None
    class_texts: tuple[str, ...]
    together: bool
    part_texts: tuple[str, ...]
    out: Path | None
    truncation: float | None
    num_classes: int | None
    dim: int | None
    fused_scale: bool | None
    key: str | None
    activation: str | None
    output_activation: str | None
    resolution: int | None
    device: str
    threads: int | None
    save_every: float
    upload: str | None
    dry_run: bool


@dataclass(frozen=True)
class Learning(Loading):
    """Hold the options of `learn`, except the settings of the method."""

    method: str
    resume: Path | None
    curved: bool


@dataclass(frozen=True)
class Sweeping(Loading):
    """Hold the options of `sweep`, except the settings of the methods. seeds: first and last of each range."""

    methods: tuple[str, ...]
    seeds: tuple[tuple[int, int], ...]
    workers: int | None
    address: str | None
    shard: tuple[int, int] | None
    rank: bool


@dataclass(frozen=True)
class Measuring:
    """Hold the options of `measure`."""

    metrics: tuple[str, ...]
    factor_network: Path | None
    reader: str
    samples: int | Path | None
    class_text: str | None
    real: Path | None
    place: str
    features: str
    weights: Path | None
    renders: Path | None
    other_renders: Path | None
    seed: int
    max_batch: int
    write_names: bool
    again: bool
    straight: bool
    out: Path | None
    dry_run: bool
    as_json: bool
    generator: str | None
    device: str


@dataclass(frozen=True)
class Walking:
    """Hold the options that `render grid` and `render video` share, see `rendering.drawing.Walk`."""

    directions: str | None
    samples: int | Path
    extent: float | None
    even: bool
    features: str
    weights: Path | None
    absolute: bool
    out: Path | None
    force: bool


@dataclass(frozen=True)
class Paging:
    """Hold the options of `page`."""

    strips: bool
    directions: str | None
    samples: int | Path
    quality: int | None
    out: Path | None
    force: bool


@dataclass(frozen=True)
class Import:
    """Hold the options of `import`."""

    spec: str | None
    part: str | None
    dims: tuple[int, int] | None
    layers: tuple[int, int] | None
    dim: int | None
    class_text: str | None
    orthonormalise: bool | None


@dataclass(frozen=True)
class Training:
    """Hold the options of `train` and `finetune`, except the settings of the model.

    None: the verb does not have this option.
    """

    out: Path | None
    resume: Path | None
    preview_every: int
    save_every: float
    device: str
    threads: int | None
    dry_run: bool
    start: Path | None = None
    resolution: int | None = None
    half: bool | None = None
    score_every: float | None = None
    score_samples: int | None = None


@dataclass(frozen=True)
class Drawing:
    """Hold the options of all verbs that render images.

    generator: used instead of the run's. class_text: used instead of the class of the directions. straight: leave out
    the curves of directions.
    """

    generator: str | None = None
    class_text: str | None = None
    seed: int = 0
    max_batch: int = 32
    device: str = "auto"
    straight: bool = False


class Coordinate(NamedTuple):
    """Hold a coordinate along a direction, or a percentile of the coordinates of samples."""

    value: float
    percent: bool = False
