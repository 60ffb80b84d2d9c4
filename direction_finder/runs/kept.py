"""Parts of measures under way, in the user's cache: the same measure, taken again after a stop, goes on with them."""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from direction_finder.directions import Directions
from direction_finder.files import cache_folder, replacing
from direction_finder.generators import Generator
from direction_finder.version import package_version

EVERY = 20.0  # seconds after which new parts are written: what a kill can lose


def identity(generator: Generator, directions: Directions | None, class_index: int | None) -> dict[str, Any]:
    """What all parts of a measure of a generator, or of directions in it, depend on."""
    return {
        "direction_finder": package_version(),
        "torch": torch.__version__,
        "generator": [generator.name, generator.weights_sha256, generator.truncation, str(generator.device)],
        "directions": directions and directions.sha256,
        "class": class_index,
    }


class Kept:
    """A `Keep` whose parts are in a file until the measures are done: left as they are by an error, gone without one.

    what: all that the parts depend on.
    """

    def __init__(self, what: dict[str, Any]):
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        self.path = cache_folder() / "measures" / f"{digest}.safetensors"
        try:
            self.parts = load_file(self.path)
        except (FileNotFoundError, SafetensorError):
            self.parts = {}
        self.written = time.monotonic()

    def __call__(self, key: str, take: Callable[[], Tensor]) -> Tensor:
        if key not in self.parts:
            self.parts[key] = take().contiguous()
            if time.monotonic() - self.written >= EVERY:
                self._write()
        return self.parts[key]

    def __enter__(self) -> "Kept":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self.path.unlink(missing_ok=True)
        elif self.parts:
            self._write()

    def _write(self) -> None:
        with replacing(self.path) as part:
            part.write_bytes(save(self.parts))
        self.written = time.monotonic()
