"""Say what the raw measurements of each metric hold."""

from typing import Annotated, Any, TypedDict

import torch
from msgspec import Meta

from direction_finder.metrics.fidelity import KINDS
from direction_finder.reports.measures.raw import Layout, Raw


class FactorRecord(TypedDict):
    """A factor, see `datasets.Factor`."""

    name: str
    low: float
    high: float
    circular: bool
    choices: list[str]


class ReadingSettings(TypedDict):
    """Settings of readings. factor_network: what it was trained on, and how accurate it is."""

    factors: list[FactorRecord]
    factor_network: dict[str, Any]


class EffectSettings(ReadingSettings):
    """Settings of readings along directions. varied: the factors that depend on latents."""

    varied: list[str]
    step: Annotated[float, Meta(gt=0)]


class AlignmentSettings(ReadingSettings):
    """Settings of readings after alignment. along: for each of the varied factors, the direction that changes it most;
    the tensor `aligned` has them in the order of `factors`."""

    along: dict[str, Annotated[int, Meta(ge=0)]]


class FidelitySettings(ReadingSettings):
    """Settings of a comparison with renders. label: the factor that is the class."""

    label: str
    features: str


class ShareSettings(TypedDict):
    """Settings of random Hessians, see `discovery.diagonal_share`."""

    eta: float
    epsilon: float


class StepSettings(TypedDict):
    """Settings of steps along directions. features: the network that compares images."""

    features: str
    epsilon: float


class PathSettings(StepSettings):
    """Settings of path lengths. place: where on a path its step is, see `path_length`."""

    place: str


class FeatureSettings(TypedDict):
    """Settings of features. real: the real images that they are compared with, see `datasets.Images`."""

    features: str
    real: dict[str, Any]


def unread(raw: Raw) -> str | None:
    """Say which factor was not read, although the settings name it; None if all were."""
    settings, read = raw.settings, {record["name"] for record in raw.settings["factors"]}
    named = {*settings.get("varied", ()), *settings.get("along", ()), *filter(None, [settings.get("label")])}
    if named - read or not named:
        return f"no readings of {', '.join(sorted(named - read)) or 'any factor'}"
    if "label" in settings and raw.tensors["generated"].shape[1] <= len(settings["factors"]):
        return "readings without features"
    return None


LENGTHS = {"lengths": torch.float64}

# readings: 4 bytes for each factor, sample, direction and end of a move
FACTORS = Layout(
    "factors",
    EffectSettings,
    {"base": ("samples", "factors"), "moved": ("directions", 2, "samples", "factors")},
    problem=unread,
)
ALIGNMENT = Layout(
    "alignment",
    AlignmentSettings,
    {"base": ("samples", "factors"), "aligned": ("along", "samples", "factors")},
    problem=unread,
)
# 4 bytes for each sample and pair of directions: 100 MB for 100 samples of 512 directions
DIAGONALITY = Layout(
    "diagonality",
    dict[str, Any],
    {"sums": ("samples", 6), "interactions": ("samples", "directions", "directions")},
    {"sums": torch.float64},
)
# 4 bytes for each sample and pair of dimensions: 67 MB for 64 samples of 512 dimensions
SHARE = Layout("share", ShareSettings, {"matrices": ("samples", "size", "size"), "basis": ("size", "size")})
ACTIVENESS = Layout("activeness", dict[str, Any], {"values": ("directions", "samples")})
PATHS = Layout("paths", StepSettings, {"lengths": ("directions", "samples")}, LENGTHS)
PPL = Layout("ppl", PathSettings, {"lengths": ("samples",)}, LENGTHS)
# of fid and kid: 5 kB (lite0) or 8 kB (Inception) for each image; 51 MB for 5,000 generated and 5,000 real ones
FEATURES = Layout("features", FeatureSettings, {"generated": ("samples", "size"), "real": ("samples", "size")})
# 5 kB for each image; 46 MB for 3,000 generated ones, 3,000 renders and 3,000 other renders
FIDELITY = Layout(
    "fidelity",
    FidelitySettings,
    {**dict.fromkeys(KINDS, ("samples", "columns")), "asked": ("samples",)},
    {"asked": torch.int64},
    unread,
)
