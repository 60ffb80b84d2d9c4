"""Save the strips of a run beside its directions, so that its page and the gallery need no generator."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypedDict

import torch
from msgspec import Meta
from PIL import Image

from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY, STRIPS, replacing
from direction_finder.rendering.strips import MOST, Strip
from direction_finder.tensor_files import read_tensor_file

KIND = "strips"
CURE = "delete it; `page` renders strips again"
Side = Annotated[int, Meta(ge=1, le=MOST)]
Positions = Annotated[list[float], Meta(min_length=1, max_length=MOST)]


class StripRecord(TypedDict):
    """One strip: its direction, the size of a frame, the number of samples, and the positions along the direction."""

    direction: Annotated[int, Meta(ge=0)]
    size: tuple[Side, Side]
    samples: Side
    positions: Positions


class StripsRecord(TypedDict):
    """The metadata of a file of strips. made: everything that they depend on."""

    kind: str
    made: dict[str, Any]
    strips: list[StripRecord]


def save_strips(folder: Path, strips: Mapping[int, Strip], made: dict[str, Any]) -> None:
    """Write strips, by the number of their direction, into a run folder. made: everything that they depend on."""
    from safetensors.torch import save

    records = [
        {"direction": number, "size": strip.size, "samples": strip.samples, "positions": strip.positions}
        for number, strip in strips.items()
    ]
    about = json.dumps({"kind": KIND, "made": made, "strips": records}, sort_keys=True, ensure_ascii=False)
    tensors = {
        str(number): torch.frombuffer(bytearray(each.sheet), dtype=torch.uint8) for number, each in strips.items()
    }
    with replacing(folder / STRIPS) as part:
        part.write_bytes(save(tensors, metadata={METADATA_KEY: about}))


def read_strips(path: Path) -> tuple[dict[int, Strip], dict[str, Any]]:
    """Return the strips in a file by the number of their direction, and what they depend on.

    Raises InputError if the file is damaged.
    """
    tensors, record = read_tensor_file(path, StripsRecord)
    if record is None or record["kind"] != KIND:
        raise InputError(f"{path}: no strips; {CURE}")
    strips = {}
    for each in record["strips"]:
        tensor = tensors.get(str(each["direction"]))
        if tensor is None or tensor.dtype != torch.uint8:
            raise InputError(f"{path}: has no strip of direction {each['direction']}; {CURE}")
        strip = Strip(tensor.numpy().tobytes(), tuple(each["size"]), each["samples"], tuple(each["positions"]))
        if not _fits(strip):
            raise InputError(f"{path}: the strip of direction {each['direction']} is damaged; {CURE}")
        strips[each["direction"]] = strip
    return strips, record["made"]


def _fits(strip: Strip) -> bool:
    """Return whether the sheet is a WebP image of the size that its record says."""
    try:
        with Image.open(io.BytesIO(strip.sheet), formats=("WEBP",)) as image:
            return image.size == (strip.size[0] * len(strip.positions), strip.size[1] * strip.samples)
    except (OSError, ValueError, Image.DecompressionBombError):
        return False
