"""Export directions as a matrix for other tools."""

import io
from pathlib import Path

import numpy as np
import torch

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import replacing
from direction_finder.overwriting import OF_ENDING, check_overwrite

ENDINGS = (".npy", ".pt")


def export_directions(directions: Directions, path: str | Path, *, searched: bool = False) -> None:
    """Write the vectors (num, dim) as `.npy` or `.pt`, one direction per row.

    searched: write only the dimensions that were searched, as hessian_penalty's tools expect. Raises InputError for
    another ending.

    >>> df.export_directions(directions, "church.npy")
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise InputError(f"{path}: expected a file ending in {' or '.join(ENDINGS)}")
    check_overwrite(path, OF_ENDING[path.suffix])
    rows = directions.vectors.detach().cpu()
    dims = directions.config.get("dims")
    if searched and dims:
        rows = rows[:, dims[0] : dims[1] + 1]
    buffer = io.BytesIO()
    if path.suffix == ".npy":
        np.save(buffer, rows.numpy())
    else:
        torch.save(rows.clone(), buffer)  # clone, or torch would save the whole matrix behind the view
    with replacing(path) as part:
        part.write_bytes(buffer.getvalue())
