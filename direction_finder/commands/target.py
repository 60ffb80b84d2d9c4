"""What `render`, `align` and `edit` work on: directions, the generator they act on, and samples of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor

from direction_finder.commands.options import Download, number_range, pick_device
from direction_finder.commands.runs import FOUND, Run
from direction_finder.commands.trust import searched_folder
from direction_finder.directions import Directions
from direction_finder.edits import spread
from direction_finder.errors import InputError, Unfinished
from direction_finder.files import read_json
from direction_finder.generators import UNTOLD, Generator, load_generator, resolve_class
from direction_finder.generators.weights import tensor_hashes
from direction_finder.pictures import to_uint8, upscaled
from direction_finder.randomness import stream

SMALLEST = 96  # pixels: smaller pictures are enlarged, or labels would not fit
RANK = "rank.json"  # in the run folder
DEFAULT_EXTENT = 3.0  # z has standard deviation 1 along every direction


def load(spec: str, device: str, **settings: Any) -> Generator:
    """Load a generator, once a command: the last one is kept, and given again for the same arguments."""
    context = click.get_current_context(silent=True)
    kept = {} if context is None else context.find_root().meta.setdefault(__name__, {})
    key = repr((spec, device, sorted(settings.items())))
    if key not in kept:
        kept.clear()
        kept[key] = load_generator(spec, device=device, on_download=Download(), **settings)
    return kept[key]


def load_recorded(run: Run, device: str, spec: str | None = None) -> Generator:
    """Load the generator that a run's `config.json` names, if it may (see `trust`), or `spec` in its place.

    Raises InputError if a factory gives other weights than when the run began, and names a tensor that differs.
    """
    record = run.config["generator"]
    same_family = not spec or spec.partition(":")[0] == (record["spec"] or "").partition(":")[0]
    told = {name: record.get(name) for name in UNTOLD if same_family}
    folder = None if spec else searched_folder(run.folder, record["spec"])
    generator = load(spec or record["spec"], device, truncation=record["truncation"], folder=folder, **told)
    if generator.weights_sha256 != record["weights_sha256"] and record.get("tensors"):
        raise InputError(f"{run.folder}: {_difference(generator, record['tensors'])}")
    return generator


def _difference(generator: Generator, before: dict[str, str]) -> str:
    """Which tensors of a generator are not what they were, in words."""
    now = tensor_hashes(generator.state_dict())
    changed = [key for key in sorted(now.keys() | before.keys()) if now.get(key) != before.get(key)]
    return (
        f"{generator.name} gives other weights than when the run began: {len(changed)} of {len(now)} tensors differ, "
        f"first {changed[0].removeprefix('module.')}; a factory must give the same weights each time: load them, or "
        "draw them with a fixed seed"
    )


def class_index(generator: Generator, directions: Directions | None, asked: str | None) -> int | None:
    """The class asked for, or the one that the directions are for; None: random classes."""
    if asked is not None:
        return resolve_class(generator.class_names, asked)
    return directions.class_index if directions else None


@dataclass(frozen=True)
class Target:
    """Directions, the file they came from, and their generator. `folder` is where pictures go if nothing is said."""

    path: Path
    directions: Directions
    generator: Generator
    max_batch: int

    @property
    def folder(self) -> Path:
        return self.path.parent

    @classmethod
    def open(cls, path: Path, spec: str | None, device: str, max_batch: int) -> "Target":
        """Open a run folder or a directions file, and check that the generator fits."""
        device = pick_device(device)
        if path.is_file():
            directions = Directions.load(path)
            folder = None if spec or not directions.generator else searched_folder(path.parent, directions.generator)
            spec = spec or directions.generator
            if not spec:
                raise InputError(f"{path}: bound to no generator; name one with --generator")
            generator = load(spec, device, folder=folder)
        else:
            run = Run.open(path, FOUND, "learn or import")
            if not run.directions.is_file():
                raise Unfinished(f"{path}: no directions yet; finish the run with learn --resume {path}")
            directions = Directions.load(run.directions)
            if not (spec or run.config["generator"]["spec"]):
                raise InputError(f"{path}: bound to no generator; name one with --generator")
            generator = load_recorded(run, device, spec)
        directions.check_fits(
            name=generator.name,
            dim=generator.dim,
            num_layers=generator.num_layers,
            weights_sha256=generator.weights_sha256,
        )
        if directions.weights_sha256 is None:  # bound to no generator: the amounts are in units of this one's scale
            directions = replace(directions, scale=generator.scale)
        return cls(path if path.is_file() else run.directions, directions, generator, max_batch)

    @property
    def short_list(self) -> list[int]:
        """What `rank` said matters in these directions; empty if it was not asked."""
        path = self.folder / RANK
        report = read_json(path) if path.is_file() else {}
        return report["short_list"] if report.get("directions_sha256") == self.directions.sha256 else []

    def pick(self, text: str | None, most: int | None = None) -> list[int]:
        """Direction numbers meant by "0-7,12", names, "all", or nothing: the short list, or the first `most`."""
        count = len(self.directions)
        if text is None:
            return self.short_list[:most] or list(range(min(most or count, count)))
        if text == "all":
            return list(range(count))
        picked: list[int] = []
        for part in text.split(","):
            if part.strip() in self.directions.names:
                picked.append(self.directions.names.index(part.strip()))
                continue
            bounds = number_range(part)
            if not bounds:
                names = [name for name in self.directions.names if name]
                raise InputError(f"directions {text!r}: expected numbers like 0-7,12, {', '.join([*names, 'or all'])}")
            first, last = bounds
            if last >= count:
                raise InputError(f"direction {last}: there are {count}, numbered 0 to {count - 1}")
            picked += range(first, last + 1)
        return picked

    def pick_one(self, text: str) -> int:
        """The one direction number meant by `text`."""
        picked = self.pick(text)
        if len(picked) != 1:
            raise InputError(f"direction {text!r}: expected one number, e.g. 5")
        return picked[0]

    def samples(self, n: int, seed: int, class_text: str | None) -> tuple[Tensor, Tensor]:
        """n latents (n, layers, dim) and classes (n,): the class asked for, the run's, or random ones."""
        rng = stream(seed, "pictures")
        latents = spread(self.generator.sample(n, rng), self.generator.num_layers)
        index = class_index(self.generator, self.directions, class_text)
        if index is not None:
            classes = torch.full((n,), index)
        else:
            classes = torch.randint(max(1, self.generator.num_classes), (n,), generator=rng)
        return latents, classes.to(latents.device)

    @torch.no_grad()
    def draw(self, latents: Tensor, classes: Tensor) -> np.ndarray:
        """Pictures (n, H, W, 3) of bytes, at most `max_batch` generated at once."""
        parts = zip(latents.split(self.max_batch), classes.split(self.max_batch), strict=True)
        return upscaled(np.concatenate([to_uint8(self.generator(z, c)) for z, c in parts]), SMALLEST)

    def label(self, index: int) -> str:
        """ "direction 3", with its name and its score if it has them."""
        direction = self.directions[index]
        name = f": {direction.name}" if direction.name else ""
        score = "" if direction.score is None else f"  (score {direction.score:.3g})"
        return f"direction {index}{name}{score}"

    def extent(self, index: int, asked: float | None) -> float:
        """How far to go along a direction: as asked, its usable range, or 3."""
        return asked or self.directions[index].usable_range or DEFAULT_EXTENT

    def made(self, what: str, **settings: Any) -> dict[str, Any]:
        """How a picture was made, to be kept inside it."""
        record = self.directions
        return {
            "made_by": f"direction-finder {what}",
            "method": record.method,
            "generator": self.generator.name,
            "weights_sha256": self.generator.weights_sha256,
            "class": record.class_name,
            "run": self.folder.name,
            **settings,
        }


def column_labels(count: int) -> Sequence[str]:
    return [f"sample {i}" for i in range(count)]
