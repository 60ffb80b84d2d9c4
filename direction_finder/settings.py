"""Settings as fields of frozen dataclasses, with their help texts and limits; a verb makes options of them."""

import dataclasses
from typing import Any

from direction_finder.errors import InputError

SAVE_EVERY = 30.0  # seconds between two states of a run
IMAGE = "image"  # what a generator's last activation is called
ACTIVATIONS = ("relu", "leaky-relu", "elu", "selu", "gelu", "silu")  # that a DCGAN may have
OUTPUTS = ("tanh", "sigmoid", "none")  # what its last layer may end in
FEATURES = ("lite0", "published")  # what distances of pictures are taken with
PLACES = ("end", "full")  # where on a path its length is measured: at its beginning, as the paper; or anywhere
METRICS = (  # what `measure` knows: of directions, then of generators
    "factors",
    "alignment",
    "hessians",
    "share",
    "activeness",
    "paths",
    "ppl",
    "fid",
    "kid",
    "fidelity",
)
SPACES = ("all", "coarse", "mid", "fine")  # parts of the latents to search


def number_range(text: str) -> tuple[int, int] | None:
    """ "0-39" as (0, 39); "7" as (7, 7); None if it is neither."""
    first, dash, last = text.strip().partition("-")
    last = last if dash else first
    if not (first.isdecimal() and last.isdecimal()) or int(last) < int(first):
        return None
    return int(first), int(last)


def option(default: Any, text: str, **limits: Any) -> Any:
    """A field with its help text and its limits: `above`, `least`, `below`, `choices`."""
    return dataclasses.field(default=default, metadata={"help": text, **limits})


def check_options(config: Any) -> None:
    """Raise InputError unless every field of a dataclass lies in the limits that it declares; None is no value."""
    for field in dataclasses.fields(config):
        limits, value = field.metadata, getattr(config, field.name)
        if value is None:
            continue
        if "choices" in limits and value not in limits["choices"]:
            raise InputError(f"{field.name} is {value!r}: expected one of {', '.join(limits['choices'])}")
        if "least" in limits and not value >= limits["least"]:
            raise InputError(f"{field.name} is {value}: expected at least {limits['least']}")
        if "above" in limits and not value > limits["above"]:
            raise InputError(f"{field.name} is {value}: expected a number above {limits['above']}")
        if "below" in limits and not value < limits["below"]:
            raise InputError(f"{field.name} is {value}: expected a number below {limits['below']}")
