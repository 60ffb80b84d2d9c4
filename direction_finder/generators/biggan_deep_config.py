"""Read the `config.json` of a BigGAN-deep, and check that it describes a network before one is built."""

from pathlib import Path
from typing import Annotated, NotRequired, TypedDict

from msgspec import Meta

from direction_finder.errors import InputError
from direction_finder.files import existing_file, read_json
from direction_finder.generators.weights import looks_like_html

CONFIG = "config.json"
LARGEST = 16 << 20  # bytes; a million class names need fewer
FIRST_SIDE, FIRST_WIDTH = 4, 16  # pixels, and channels in units of `channel_width`, of the first linear layer
MOST_PIXELS, MOST_ATTENTION = 1024, 128  # sides of images, and of activations with attention: its memory is side^4 / 4

Layer = tuple[bool, Annotated[int, Meta(ge=1, le=64)], Annotated[int, Meta(ge=1, le=64)]]
"""A residual block: does it double the resolution, and its channels in and out, in units of `channel_width`."""


class Config(TypedDict):
    """Describe a BigGAN-deep as `pytorch-pretrained-biggan` does; `class_names` is ours."""

    z_dim: Annotated[int, Meta(ge=1, le=65536)]
    channel_width: Annotated[int, Meta(ge=4, le=4096)]
    num_classes: Annotated[int, Meta(ge=1, le=1_000_000)]
    layers: Annotated[list[Layer], Meta(min_length=1, max_length=64)]
    attention_layer_position: int
    eps: Annotated[float, Meta(gt=0, le=1)]
    n_stats: Annotated[int, Meta(ge=2, le=10_000)]
    output_dim: NotRequired[int]
    class_names: NotRequired[list[str] | None]


def read_config(path: Path) -> Config:
    """Return the content of a BigGAN-deep's `config.json`. Raises InputError if it does not describe a network."""
    size = existing_file(path).stat().st_size
    if size > LARGEST:
        raise InputError(f"{path}: {size:,} bytes, far more than a configuration has; give another file")
    with path.open("rb") as file:
        if looks_like_html(file.read(64)):
            raise InputError(f"{path}: a web page, not the configuration of a BigGAN-deep; download it again")
    content: Config = read_json(path, Config)
    if problem := _problem(content):
        raise InputError(f"{path}: {problem}")
    return content


def _problem(content: Config) -> str | None:
    """Return what the layers of a network cannot do; None if they fit together."""
    side, channels = FIRST_SIDE, FIRST_WIDTH
    for index, (doubles, before, after) in enumerate(content["layers"]):
        if before != channels:
            return f"layer {index} takes {before} channels, but the layer before it gives {channels}"
        if after > before:
            return f"layer {index} gives more channels ({after}) than it takes ({before}), which no BigGAN-deep does"
        if index == content["attention_layer_position"]:
            if side > MOST_ATTENTION:
                return f"attention at {side} pixels, which needs too much memory; at most {MOST_ATTENTION} are possible"
            if before * content["channel_width"] < 8:
                return f"attention at layer {index}, with fewer than 8 channels"
        side, channels = side * (2 if doubles else 1), after
    if channels != 1:
        return f"the last layer gives {channels} channels, expected 1"
    if side > MOST_PIXELS:
        return f"images of {side} pixels; at most {MOST_PIXELS} are possible"
    if content.get("output_dim", side) != side:
        return f"output_dim {content['output_dim']}, but its layers make images of {side} pixels"
    names, classes = content.get("class_names"), content["num_classes"]
    if names and len(names) != classes:
        return f"{len(names)} class names for {classes} classes; give one per class"
    return None
