"""What is given on the command line, a value for each group of options. Needs no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True)
class Learning:
    """What is searched and where it is kept; the method's own settings come beside."""

    spec: str | None
    class_texts: tuple[str, ...]
    space_texts: tuple[str, ...]
    method: str
    out: Path | None
    resume: Path | None
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
    dry_run: bool


@dataclass(frozen=True)
class Measuring:
    """What is measured, and how."""

    metrics: tuple[str, ...]
    factor_network: Path | None
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
    out: Path | None
    as_json: bool
    generator: str | None
    device: str


@dataclass(frozen=True)
class Walking:
    """Which directions are followed by which samples, and how far. See `rendering.drawing.Walk`."""

    directions: str | None
    samples: int | Path
    extent: float | None
    even: bool
    features: str
    weights: Path | None
    absolute: bool
    out: Path | None


@dataclass(frozen=True)
class Import:
    """What the directions are for, and how they are read."""

    spec: str | None
    space: str | None
    dims: tuple[int, int] | None
    layers: tuple[int, int] | None
    dim: int | None
    class_text: str | None
    orthonormalise: bool | None


@dataclass(frozen=True)
class Training:
    """How a training is run and kept; the model's own settings come beside. None: the verb has no such option."""

    out: Path | None
    resume: Path | None
    preview_every: int
    save_every: float
    device: str
    threads: int | None
    start: Path | None = None
    resolution: int | None = None
    half: bool | None = None
    score_every: float | None = None
    score_samples: int | None = None


@dataclass(frozen=True)
class Drawing:
    """Whose pictures are drawn, and how. generator: in place of the run's. class_text: in place of the directions'."""

    generator: str | None = None
    class_text: str | None = None
    seed: int = 0
    max_batch: int = 32
    device: str = "auto"


class Coordinate(NamedTuple):
    """A coordinate along a direction, or a percentile of the samples' own."""

    value: float
    percent: bool = False
