"""Import another tool's directions."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from direction_finder.class_names import resolve_class
from direction_finder.directions import Directions
from direction_finder.directions_check import TOLERANCE, orthonormality_error
from direction_finder.directions_file import MOST
from direction_finder.errors import InputError
from direction_finder.files import file_sha256
from direction_finder.generators import Generator, Outline
from direction_finder.interop.matrices import read_matrix
from direction_finder.orthogonal import gram_schmidt
from direction_finder.version import package_version

METHOD = "imported"
MOST_LAYERS = 1000  # of directions that are not bound to a generator


def import_directions(
    path: str | Path,
    generator: Generator | Outline | None = None,
    *,
    part: str | None = None,
    dims: tuple[int, int] | None = None,
    layers: tuple[int, int] | None = None,
    dim: int | None = None,
    class_name: str | int | None = None,
    orthonormalise: bool | None = None,
) -> Directions:
    """Read another tool's directions, with or without a generator that they belong to.

    path: a file that `read_matrix` reads. part, or dims and layers: the part of the latents that the columns stand for.
    dim: the size of z, if there is no generator. class_name: the class that the directions were found for.
    orthonormalise: apply Gram-Schmidt to the rows (None: only if the file contains a free matrix).

    >>> directions = df.import_directions("church.npy", generator, part="coarse")

    Raises InputError for a file or a part that does not fit.
    """
    matrix = read_matrix(path)
    if part and (dims or layers):
        raise InputError("`part` already names dimensions or layers: leave out `dims` and `layers`")
    if dim and generator is not None:
        raise InputError("`dim` is read from the generator: leave it out")
    if generator is None:
        outline = Outline(None, dim or (dims[1] + 1 if dims else matrix.rows.shape[1]))
    else:
        outline = generator.outline if isinstance(generator, Generator) else generator
    if part:
        ranges = outline.part(part)
        dims, layers = ranges.get("dims"), ranges.get("layers")
    directions = as_directions(
        matrix.rows,
        matrix.free if orthonormalise is None else orthonormalise,
        outline,
        source={"file": Path(path).name, "file_sha256": file_sha256(path), "part": part, "chunk": outline.chunk},
        dims=dims,
        layers=layers,
        class_index=None if class_name is None else resolve_class(outline.class_names, str(class_name)),
        names=matrix.names,
    )
    if not isinstance(generator, Generator):
        return directions
    return replace(directions, probe=generator.probe(directions.class_index))


def as_directions(
    rows: Tensor,
    orthonormalise: bool,
    outline: Outline,
    *,
    source: dict[str, Any],
    dims: tuple[int, int] | None = None,
    layers: tuple[int, int] | None = None,
    class_index: int | None = None,
    names: tuple[str, ...] = (),
) -> Directions:
    """Return rows (num, size) as directions, in the same order; the generator need not be available.

    orthonormalise: apply Gram-Schmidt to the rows, first row first; otherwise they are scaled to length 1. dims: the
    dimensions of z that the columns stand for; all others are zero. source: facts about the file. Raises InputError if
    the size does not match, or if a row depends linearly on those before it.
    """
    if len(rows) * outline.dim > MOST:
        raise InputError(f"`dim` is {outline.dim:,}: {len(rows)} directions can have {MOST // len(rows):,} dimensions")
    first, last = dims or (0, outline.dim - 1)
    top, bottom = layers or (0, 0)
    num_layers = outline.num_layers if outline.name else min(bottom + 1, MOST_LAYERS)
    if not (0 <= first <= last < outline.dim and 0 <= top <= bottom < num_layers):
        raise InputError(
            f"dims {first}-{last}, layers {top}-{bottom}: {outline.name or 'the space'} has dimensions 0 to "
            f"{outline.dim - 1} and layers 0 to {num_layers - 1}"
        )
    if rows.shape[1] != last - first + 1:
        hint = f"; parts are {', '.join(outline.parts)}" if len(outline.parts) > 1 else ""
        raise InputError(
            f"the directions have {rows.shape[1]} dimensions, but {outline.name or 'the latent space'} has "
            f"{last - first + 1} (dimensions {first}-{last} of z){hint}"
        )
    unit = gram_schmidt(rows) if orthonormalise else torch.nn.functional.normalize(rows, dim=1)
    vectors = torch.zeros(len(rows), outline.dim)
    vectors[:, first : last + 1] = unit
    affected = None if layers is None else tuple(range(layers[0], layers[1] + 1))
    return Directions(
        vectors,
        METHOD,
        config={
            **source,
            "orthonormalised": orthonormalise,
            "dims": dims and list(dims),
            "layers": layers and list(layers),
        },
        generator=outline.name,
        weights_sha256=outline.weights_sha256,
        class_index=class_index,
        class_name=None if class_index is None else outline.class_names[class_index],
        orthonormal=orthonormality_error(unit) < TOLERANCE,
        layers=(affected,) * len(rows),
        names=names,
        scale=outline.scale,
        space=outline.space,
        groups=outline.groups,
        package_version=package_version(),
    )
