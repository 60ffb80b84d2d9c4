"""Save parts of unfinished measurements in the user's cache, so that a repeated measurement resumes from them."""

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

EVERY = 20.0  # seconds between two writes of new parts: the most that a kill can lose


def identity(generator: Generator, directions: Directions | None, class_index: int | None) -> dict[str, Any]:
    """Return what every part of a measurement of a generator, or of directions in it, depends on."""
    return {
        "direction_finder": package_version(),
        "torch": torch.__version__,
        "generator": [generator.name, generator.weights_sha256, generator.truncation, str(generator.device)],
        "directions": directions and directions.sha256,
        "class": class_index,
    }


class MeasureCache:
    """Keep the parts of measurements in a file, as a `Cache`: an error leaves the file, success deletes it.

    what: everything that the parts depend on.
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
        """Return the saved part `key`, or compute it with `take` and save it."""
        if key not in self.parts:
            self.parts[key] = take().contiguous()
            if time.monotonic() - self.written >= EVERY:
                self._write()
        return self.parts[key]

    def __enter__(self) -> "MeasureCache":
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
