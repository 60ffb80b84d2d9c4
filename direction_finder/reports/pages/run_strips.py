"""Find or render the strips of a run: those that an earlier page saved, or new ones by the run's generator."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from direction_finder.directions import Directions
from direction_finder.errors import DirectionFinderError, InputError
from direction_finder.files import PREVIEWS, STRIPS
from direction_finder.generators import Generator
from direction_finder.progress import OnStep
from direction_finder.rendering.strips import FRAMES, Strip, encoded, extent_of, render_strips
from direction_finder.reports.pages.embedding import inside, size_of_figures
from direction_finder.reports.pages.strip_file import read_strips, save_strips
from direction_finder.runs.folder import Run
from direction_finder.runs.loading import Loaded, Loader
from direction_finder.runs.ranks import RankReport
from direction_finder.samples import Samples
from direction_finder.settings import check_number

PAGE_SIZE = 11_000_000  # bytes of a page with its images, which take a third more in it than on the disk
LEAST = 0.25  # the part of it that strips may take even if other images fill the page
SHOWN = 8  # directions of a page without a short list
SHEETS = 16  # previews of a training that its strip shows, at most

Strips = Mapping[int, Strip]


@dataclass(frozen=True)
class Drawing:
    """Hold what strips show and how they are rendered.

    render: whether to render at all. directions: "0-7,12", names or "all" (None: the short list, or the first eight).
    samples: their number, or a file. quality: of WebP, 1 to 100 (None: the best with which a page has at most 12 MB).
    generator: used instead of the run's. class_name: None for that of the directions. device: "auto" for the fastest.
    """

    render: bool = True
    directions: str | None = None
    samples: int | Path = 6
    quality: int | None = None
    generator: str | None = None
    class_name: str | None = None
    seed: int = 0
    max_batch: int = 32
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.quality is not None:
            check_number("`quality`", self.quality, int, least=1, most=100)


def chosen(directions: Directions, ranking: RankReport | None, text: str | None) -> list[int]:
    """Return the numbers of the directions that a page shows, best first."""
    if text is not None:
        return list(dict.fromkeys(directions.pick(text)))
    if ranking and ranking["short_list"]:
        return ranking["short_list"]
    order = ranking.get("order") if ranking else None
    return (order or list(range(len(directions))))[:SHOWN]


def strips_of(
    run: Run,
    directions: Directions,
    numbers: Sequence[int],
    drawing: Drawing,
    on_note: Callable[[str], None],
    on_step: OnStep | None = None,
    loaded: Generator | None = None,
) -> Strips:
    """Return strips by the number of their direction: the saved ones if they are up to date, or else new ones.

    loaded: the generator, if it is loaded already. Without a generator, on_note is called, and saved ones of the same
    directions are returned, if there are any.
    """
    made = _made(directions, numbers, drawing)
    saved, saved_made = _saved(run, on_note)
    if saved_made == made:
        return saved
    if drawing.render:
        loader = Loader(drawing.device, progress=on_step is not None)
        try:
            target = (
                Loaded(run.directions_path, directions, loaded)
                if loaded
                else Loaded.open(run.folder, loader, drawing.generator)
            )
        except DirectionFinderError as error:
            if drawing.generator:
                raise
            on_note(f"New strips are left out: {error}")
        else:
            strips = _rendered(target, numbers, drawing, on_step)
            save_strips(run.folder, strips, made)
            return strips
    same = saved_made.get("directions") == directions.sha256
    return {number: strip for number, strip in saved.items() if number in numbers} if same else {}


def _made(directions: Directions, numbers: Sequence[int], drawing: Drawing) -> dict[str, Any]:
    """Return everything that strips depend on, as it is saved with them."""
    samples = Samples.load(drawing.samples).sha256 if isinstance(drawing.samples, Path) else drawing.samples
    curved = [number for number in numbers if directions.curves[number]]
    return {
        "directions": directions.sha256,
        "weights": directions.weights_sha256,
        "extents": [extent_of(directions[number]) for number in numbers],
        "numbers": list(numbers),
        "samples": samples,
        "quality": drawing.quality,
        "generator": drawing.generator,
        "class": drawing.class_name,
        "seed": drawing.seed,
        "frames": FRAMES,
        **({"also_straight": curved} if curved else {}),
    }


def _saved(run: Run, on_note: Callable[[str], None]) -> tuple[Strips, dict[str, Any]]:
    path = run.folder / STRIPS
    if path.exists():
        try:
            return read_strips(inside(path, run.folder))
        except InputError as error:
            on_note(f"Saved strips are left out: {error}")
    return {}, {}


def _rendered(target: Loaded, numbers: Sequence[int], drawing: Drawing, on_step: OnStep | None) -> Strips:
    samples = target.samples(drawing.samples, drawing.seed, drawing.class_name)
    directions = [target.directions[number] for number in numbers]
    sheets = sum(2 if direction.curve else 1 for direction in directions)
    strips = render_strips(
        target.generator,
        directions,
        samples,
        quality=drawing.quality,
        room=max(PAGE_SIZE * 3 / 4 - size_of_figures(target.folder), LEAST * PAGE_SIZE) / sheets,
        max_batch=drawing.max_batch,
        on_step=on_step,
    )
    return dict(zip(numbers, strips, strict=True))


def strip_of_training(folder: Path) -> Strip | None:
    """Return the previews of a training as a strip over its steps; None if fewer than two can be read."""
    paths = [path for path in sorted((folder / PREVIEWS).glob("*.png")) if path.stem.isdecimal()]
    places = np.linspace(0, len(paths) - 1, min(SHEETS, len(paths))).round().astype(int).tolist()
    images, steps = list[np.ndarray](), list[float]()
    for path in [paths[place] for place in places]:
        try:
            with Image.open(inside(path, folder), formats=("PNG",)) as image:
                pixels = np.asarray(image.convert("RGB"))
        except (InputError, OSError, ValueError, Image.DecompressionBombError):
            continue
        if not images or pixels.shape == images[0].shape:
            images.append(pixels)
            steps.append(float(path.stem))
    if len(images) < 2:
        return None
    return encoded(np.stack(images)[None], steps, quality=None, room=LEAST * PAGE_SIZE, side=1024)
