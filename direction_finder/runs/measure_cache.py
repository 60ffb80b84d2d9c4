"""Save parts of unfinished measurements in the user's cache, so that a repeated measurement resumes from them."""

import hashlib
import json
import time
import warnings
from collections.abc import Callable
from typing import Any, TypedDict

import torch
from safetensors.torch import save
from torch import Tensor

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY, cache_folder, replacing
from direction_finder.generators import Generator
from direction_finder.generators.weights import state_sha256
from direction_finder.tensor_files import read_tensor_file
from direction_finder.version import package_version

KIND = "parts of a measurement"  # what the metadata of their files says they are
EVERY = 20.0  # seconds between two writes of new parts: the most that a kill can lose


class CacheMetadata(TypedDict):
    """The metadata of a file of parts. sha256: of the parts, so that damaged ones are not used."""

    kind: str
    sha256: str


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

    A file that cannot be read is ignored, and one that cannot be written costs no measurement. Several processes may
    take the same measurement. what: everything that the parts depend on. on_note: called with a message if parts cannot
    be written.
    """

    def __init__(self, what: dict[str, Any], on_note: Callable[[str], None] = warnings.warn):
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        self.path = cache_folder() / "measures" / f"{digest}.safetensors"
        self.on_note, self.noted = on_note, False
        self.parts = self._read()
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
            self._delete()
        elif self.parts:
            self.parts = {**self._read(), **self.parts}  # another process may have got further
            self._write()

    def _read(self) -> dict[str, Tensor]:
        try:
            parts, metadata = read_tensor_file(self.path, CacheMetadata)
        except (InputError, OSError):
            return {}
        return parts if metadata and metadata["sha256"] == state_sha256(parts) else {}

    def _write(self) -> None:
        metadata = {METADATA_KEY: json.dumps({"kind": KIND, "sha256": state_sha256(self.parts)})}
        try:
            with replacing(self.path) as part:
                part.write_bytes(save(self.parts, metadata=metadata))
        except (InputError, OSError) as error:
            if not self.noted:
                self.on_note(f"Parts of this measurement cannot be saved, so it cannot resume ({error}).")
            self.noted = True
        self.written = time.monotonic()

    def _delete(self) -> None:
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            self.on_note(f"{self.path} cannot be deleted ({error}).")
