"""The file of directions, format 2, and how files of format 1 are read.

One `.safetensors` file with the tensor `vectors` (num, dim) and, if there is a probe, `probe_latents` (layers, dim) and
`probe_image` (3, 16, 16), all float32. Its metadata has one key, which holds sorted JSON: every other field of
`Directions`. The file holds no time, path or duration.
"""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.files import DIRECTIONS, METADATA_KEY, replacing

FORMAT = 2
TENSORS = ("vectors", "probe_latents", "probe_image")
RENAMED_METHODS = {"joint": "hessian-direct"}  # by direction-finder 0.2.0
RENAMED_SETTINGS = {"space": "part"}
ADDED = {  # since format 1, or left out there
    "scale": 1.0,
    "share": None,
    "numbers": (),
    "space": None,
    "groups": None,
    "curvature": None,
    "probe_class": None,
}


def write_directions(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Write the tensors and the metadata of a record, atomically."""
    content = json.dumps(metadata, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with replacing(path) as part:
        part.write_bytes(save(tensors, metadata={METADATA_KEY: content}))


def read_directions(path: str | Path, fields: set[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the metadata of a directions file, or of the one in a run folder.

    fields: the names that the metadata must have, and no others. Files of format 1 are converted.
    Raises InputError naming the first thing that is wrong.
    """
    path = Path(path)
    if path.is_dir():
        path = path / DIRECTIONS
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a directions file or a run folder that holds {DIRECTIONS}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})[METADATA_KEY])
            names = set(file.keys())
            tensors = {name: file.get_tensor(name) for name in TENSORS if name in names or name == "vectors"}
    except SafetensorError as error:
        raise InputError(f"{path}: not a readable safetensors file ({error}); it may be cut short") from error
    except KeyError as error:
        raise InputError(f"{path}: not a directions file (it has no {METADATA_KEY} metadata)") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: its metadata is not JSON ({error})") from error
    number = metadata.pop("format", None) if isinstance(metadata, dict) else None
    if number not in (1, FORMAT):
        raise InputError(f"{path}: not format 1 or {FORMAT} of a directions file; a newer direction-finder may read it")
    if number == 1:
        metadata = _converted(metadata)
    if odds := metadata.keys() ^ fields:
        odd = sorted(odds)[0]
        raise InputError(f"{path}: metadata {'lacks' if odd in fields else 'has an unknown'} {odd!r}")
    return tensors, metadata


def _converted(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of format 1 as that of format 2."""
    metadata = {**ADDED, **metadata}
    metadata["method"] = RENAMED_METHODS.get(metadata.get("method", ""), metadata.get("method"))
    config = metadata.get("config")
    if isinstance(config, dict):
        metadata["config"] = {RENAMED_SETTINGS.get(name, name): value for name, value in config.items()}
    return metadata
