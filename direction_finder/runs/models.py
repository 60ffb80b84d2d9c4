"""Declare what the JSON files of a run folder hold; `files.read_json` checks them against these types."""

from typing import Annotated, Any, TypedDict

from msgspec import Meta

Threads = Annotated[int, Meta(ge=1, le=1024)]


class GeneratorRecord(TypedDict, total=False):
    """The generator of a run: how it was named, and what its weights do not contain; see `Untold`."""

    spec: str | None
    name: str | None
    weights_sha256: str | None
    truncation: float | None
    num_classes: int | None
    dim: int | None
    key: str | None
    fused_scale: bool | None
    activation: str | None
    output_activation: str | None
    resolution: int | None
    notes: list[str]
    tensors: dict[str, str]


class DataRecord(TypedDict):
    """The images that a generator is trained on."""

    kind: str
    folder: str
    resolution: Annotated[int, Meta(ge=1, le=4096)]
    num: Annotated[int, Meta(ge=1)]
    sha256: str


class StartRecord(TypedDict):
    """The snapshot that a training began with."""

    file: str
    sha256: str


class FindingRecord(TypedDict):
    """Why a search ended, and what it cost: the fields of `directions.Finding`."""

    reason: str
    images: int
    gradients: int
    seconds: float
    share: float | None
    random_share: float | None


RunConfig = TypedDict(
    "RunConfig",
    {
        "direction_finder": str,
        "torch": str,
        "device": str,
        "threads": Threads,
        "settings": dict[str, Any],
        "started": str,
        "finished": str | None,
        # runs with directions
        "generator": GeneratorRecord,
        "class": str | None,
        "method": str,
        "part": str | None,
        "measured": dict[str, Any],
        "finding": FindingRecord | None,
        # runs that train
        "model": str,
        "data": DataRecord,
        "start": StartRecord | None,
    },
    total=False,
)


Entry = dict[str, float]
"""A line of the log: the step, and the values that were measured there."""


class Note(TypedDict):
    """The note that a run folder may use a generator, see `trust`."""

    run: str
    spec: str
    searched: str
    sha256: str | None
