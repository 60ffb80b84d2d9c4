"""Make data sets with known factors. Each image depends only on its family, the seed and its index."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from direction_finder import datasets
from direction_finder.datasets import Dataset, Factor, image_name, read_image, write_image
from direction_finder.errors import InputError
from direction_finder.locks import locked
from direction_finder.parallel import available_cores, in_processes
from direction_finder.progress import Progress, Reporting, reporting
from direction_finder.scenes import sprites
from direction_finder.scenes.edges import edge_map, pairs, split_pair
from direction_finder.scenes.families import FAMILIES
from direction_finder.scenes.render import LIGHT, SAMPLES_PER_PIXEL, render, renderer
from direction_finder.scenes.sprites import SPRITES
from direction_finder.settings import MOST_PIXELS, MOST_PROCESSES, MOST_ROWS, MOST_SEED, flaw

EDGES_AND_SHAPES, EDGES_AND_SHOES = "edges-and-shapes", "edges-and-shoes"
DRAWN = {**FAMILIES, SPRITES: sprites.FAMILY}
KINDS = (*DRAWN, EDGES_AND_SHAPES)
DOMAIN = Factor("domain", choices=("edges", "photo"))
SMALLEST = 8  # pixels of a side
TASK = 8  # images that a worker renders before it reports


def draw(kind: str, seed: int, index: int) -> dict[str, Any]:
    """Draw the factor values of one image of a family. kind: one of `KINDS`."""
    if kind == EDGES_AND_SHAPES:
        return {DOMAIN.name: DOMAIN.choices[index % 2], **FAMILIES["shapes"].draw(seed, index)}
    return DRAWN[kind].draw(seed, index)


def render_image(kind: str, seed: int, index: int, resolution: int) -> np.ndarray:
    """Render one image of a family as bytes (resolution, resolution, 3). kind: one of `KINDS`."""
    row = draw(kind, seed, index)
    if kind == SPRITES:
        return sprites.draw_sprite(row, resolution)
    family = FAMILIES["shapes" if kind == EDGES_AND_SHAPES else kind]
    rays = int(np.random.default_rng([seed, index, 1]).integers(2**31))
    image = render(family.things(row), resolution=resolution, seed=rays, light=row.get("light", LIGHT))
    return edge_map(image) if row.get(DOMAIN.name) == "edges" else image


def make(
    kind: str,
    folder: str | Path,
    *,
    num: int,
    resolution: int = 64,
    seed: int = 0,
    workers: int | None = None,
    progress: Reporting = None,
) -> Dataset:
    """Render `num` images of a family into a folder, or only those that are still missing.

    kind: one of `KINDS`. workers: number of processes of one thread each (None: one per core). progress: True for a bar
    on stderr, or a callable that receives each `Progress` and can stop the rendering.

    >>> data = df.scenes.make("shapes", "data/shapes", num=1000, progress=True)

    Raises InputError if the folder holds another data set, MissingExtra if Mitsuba is not installed.
    """
    check_arguments(num, resolution, seed, workers)
    if kind not in KINDS:
        raise InputError(f"kind {kind!r}: expected one of {', '.join(KINDS)}")
    about: dict[str, Any] = {"kind": kind, "seed": seed, "resolution": resolution}
    if kind == SPRITES:
        about |= {"versions": {"numpy": version("numpy")}}
    else:
        renderer()
        about |= {"samples_per_pixel": SAMPLES_PER_PIXEL, "versions": {"mitsuba": version("mitsuba")}}
    factors = (DOMAIN, *FAMILIES["shapes"].factors) if kind == EDGES_AND_SHAPES else DRAWN[kind].factors
    rows = [draw(kind, seed, index) for index in range(num)]
    work = partial(_render_some, str(folder), kind, seed, resolution)
    return _make(Path(folder), about, factors, rows, work, workers, "rendering", progress)


def make_edges_and_shoes(
    source: str | Path,
    folder: str | Path,
    *,
    num: int | None = None,
    resolution: int = 64,
    workers: int | None = None,
    progress: Reporting = None,
) -> Dataset:
    """Split pix2pix's edges2shoes pairs into a data set: each file has two images side by side, edges and photo.

    source: a folder of .jpg or .png files (https://efrosgans.eecs.berkeley.edu/pix2pix/datasets/). num: number of
    images (default: all). workers and progress: as in `make`. Raises InputError if there are too few files, or if a
    file is not twice as wide as high.
    """
    files = pairs(Path(source))
    num = 2 * len(files) if num is None else num
    check_arguments(num, resolution, 0, workers)
    if num > 2 * len(files):
        raise InputError(f"{source}: {len(files)} files give {2 * len(files)} images, not {num}; set a smaller `num`")
    about = {
        "kind": EDGES_AND_SHOES,
        "seed": 0,
        "resolution": resolution,
        "files": [file.name for file in files],
        "versions": {"pillow": version("pillow")},
    }
    rows = [{DOMAIN.name: DOMAIN.choices[index % 2]} for index in range(num)]
    work = partial(_split_some, str(folder), [str(file) for file in files], resolution)
    return _make(Path(folder), about, (DOMAIN,), rows, work, workers, "resizing", progress)


def check_arguments(num: int, resolution: int, seed: int, workers: int | None) -> None:
    """Raise InputError for a number that cannot be meant."""
    for name, value, least, most in (
        ("num", num, 1, MOST_ROWS),
        ("resolution", resolution, SMALLEST, MOST_PIXELS),
        ("seed", seed, 0, MOST_SEED),
        ("workers", 1 if workers is None else workers, 1, MOST_PROCESSES),
    ):
        if expected := flaw(value, int, least=least, most=most):
            raise InputError(f"`{name}` is {value!r}: expected {expected}")


def redrawn(data: Dataset, indexes: Sequence[int]) -> list[int]:
    """Render images of a data set again and return the indexes of those that differ from the saved files.

    indexes: the images to render. Raises InputError if the data set was not rendered.
    """
    about = data.about
    if about["kind"] not in KINDS:
        raise InputError(
            f"{data.folder}: a data set of kind {about['kind']} was not rendered, so it cannot be rendered again; "
            f"give one of kind {', '.join(KINDS)}"
        )
    return [
        index
        for index in indexes
        if not np.array_equal(
            render_image(about["kind"], about["seed"], index, about["resolution"]),
            read_image(data.folder / image_name(index)),
        )
    ]


def _make(
    folder: Path,
    about: dict[str, Any],
    factors: Sequence[Factor],
    rows: list[dict[str, Any]],
    work: Callable[[list[int]], int],
    workers: int | None,
    phase: str,
    reported: Reporting,
) -> Dataset:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: a file; give a folder for the data set")
    with locked(folder, create=True), reporting(reported) as on_step:
        datasets.begin(folder, about, factors, rows)
        left = datasets.missing(folder, len(rows))
        done = len(rows) - len(left)
        tasks = [left[i : i + TASK] for i in range(0, len(left), TASK)]
        processes = min(workers or available_cores(), max(1, len(tasks)))
        for finished in in_processes(work, tasks, processes):
            done += finished
            progress = Progress(done, len(rows), phase, unit="image")
            if on_step:
                on_step(progress)
            if progress.stopped:
                break
        if done == len(rows) and not (folder / datasets.CHECKSUMS).is_file():
            datasets.finish(folder, len(rows))
        return Dataset.open(folder)


def _render_some(folder: str, kind: str, seed: int, resolution: int, indexes: list[int]) -> int:
    for index in indexes:
        write_image(Path(folder) / image_name(index), render_image(kind, seed, index, resolution))
    return len(indexes)


def _split_some(folder: str, files: list[str], resolution: int, indexes: list[int]) -> int:
    for index in indexes:
        write_image(Path(folder) / image_name(index), split_pair(Path(files[index // 2]), index % 2, resolution))
    return len(indexes)
