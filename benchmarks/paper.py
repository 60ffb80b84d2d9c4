"""Find the paper's directions in BigGAN again, by its loop and by ours, and make its Fig. 6 and 7 from them.

    make paper          (python -m benchmarks.paper; needs the weights of BigGAN, see docs/published.md)

All goes into one folder, with a page, index.md. For golden retrievers and churches:

- `loop` are the directions of the paper's loop, with its settings: 50,000 steps of 96 samples. They are not sorted: a
  direction's number is its column of A. `ours` are those of the default method of `learn`, the strongest first.
  `published` are those of the published matrix, if there is one for the class.
- Fig. 6: the published directions with names, and those of the other two that are matched to them, one to one, so that
  the sum of |cos| is largest. Without a published matrix, the first three of each are shown.
- Fig. 7: six samples (a), aligned along each rotation (b), and set to several values along z_11 (c).
- Tables of |cos| with the published matrix, beside the axes of z and random directions, and of the fall of the loop's
  penalty.

What is there already is left as it is, so repeat the command if it was killed. The loops take longest and come last.
"""

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import torch
from PIL import Image
from scipy.optimize import linear_sum_assignment
from torch import Tensor

import direction_finder as df
from direction_finder.files import file_sha256, read_json, replacing, write_json

GOLDENS = Path(__file__).parent.parent / "tests" / "golden" / "our_goldens.pt"
SEED, AXIS, ALIGNED = 0, 11, 6  # of everything; the axis of Fig. 7; samples there
AXIS_VALUES = (-2.0, -1.0, 0.0, 1.0, 2.0)
SHOWN = 3  # directions, where none is published
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
LEAST = 0.9  # |cos| from which on a direction is found again
PUBLISHED, OURS, LOOP = "published", "ours", "loop"
METHODS: dict[str, tuple[str, tuple[str, ...], dict[str, int]]] = {  # method, its options here, further settings
    OURS: ("jacobian", ("points", "max_batch"), {}),
    LOOP: ("hessian", ("steps", "batch_size", "max_batch"), {"score_samples": 0}),
}


@dataclasses.dataclass(frozen=True)
class Class:
    """A class of the paper: its folder and number, rows of the published matrix with the extents of Fig. 6, and the
    published fall of the loop's penalty in %."""

    folder: str
    number: int
    rows: dict[str, tuple[int, float]]
    fall: str


CLASSES = (
    Class("golden-retriever", 207, {"rotation": (5, 3.0), "zoom": (6, 5.0), "smoosh": (8, 3.0)}, "14 to 18"),
    Class("church", 497, {"rotation": (4, 5.0), "shift": (14, 5.0), "colour": (55, 5.0)}, "21"),
)


def match(published: Tensor, found: Tensor) -> tuple[list[int], Tensor]:
    """Return for each row of `published` (n, dim) its partner's place in `found` (m, dim), m >= n, and their cos."""
    cosines = published.double().cpu() @ found.double().cpu().mT
    rows, places = linear_sum_assignment(-cosines.abs().numpy())
    return places.tolist(), cosines[rows, places]


def fall(penalties: Sequence[float]) -> list[str]:
    """Return the number of steps, the mean penalty of the first 1 % and of the last 10 % of them with standard errors,
    and how far it fell in %."""
    count, means = len(penalties), []
    for part in (penalties[: max(1, count // 100)], penalties[-max(1, count // 10) :]):
        error = statistics.stdev(part) / len(part) ** 0.5 if len(part) > 1 else math.nan
        means.append((statistics.fmean(part), error))
    (first, first_error), (last, last_error) = means
    error = last / first * math.hypot(first_error / first, last_error / last)
    cells = [(first, first_error), (last, last_error), (100 * (1 - last / first), 100 * error)]
    return [f"{count:,}", *(f"{value:.4g}" + ("" if math.isnan(by) else f" +- {by:.2g}") for value, by in cells)]


def make(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file, unless it is there."""
    if path.exists():
        return
    began = time.monotonic()
    with replacing(path) as part:
        write(part)
    click.echo(f"{path}: {time.monotonic() - began:.0f} s")


def run(folder: Path, generator: df.Generator, method: str, number: int, **settings: Any) -> df.OpenRun:
    """Begin a run of `learn`, resume it, or leave it alone if it is finished."""
    if not (folder / "config.json").exists():
        return df.learn(generator, method, class_name=number, out=folder, seed=SEED, progress=True, **settings)
    found = df.open_run(folder)
    return found if found.finished else found.resume(generator=generator, progress=True)


class Part:
    """What is made for one class. matrix: the published directions, or None. found: what is there so far."""

    def __init__(self, generator: df.Generator, about: Class, folder: Path, matrix: df.Directions | None, samples: int):
        self.generator, self.about, self.folder, self.samples = generator, about, folder / about.folder, samples
        self.matrix = matrix
        self.found: dict[str, df.Directions] = {}
        self.loop: df.OpenRun | None = None
        rest = {"class_name": about.number, "score_samples": 0}
        self.references = {name: df.find(generator, name, **rest) for name in ("coordinates", "random")}

    def find(self, kind: str, sizes: dict[str, int]) -> None:
        """Find directions of a kind, if they are not there, and make their figures."""
        if kind == PUBLISHED:
            if self.matrix is None:
                return
            self.found[kind] = self.matrix
        else:
            method, names, more = METHODS[kind]
            given = {name: sizes[name] for name in names}
            begun = run(self.folder / kind, self.generator, method, self.about.number, **given, **more)
            self.found[kind] = begun.directions
            if kind == LOOP:
                self.loop = begun
                make(self.folder / "loss.png", lambda path: begun.plot("penalty").figure.savefig(path))
        chosen, axis = self.chosen(kind), self.references["coordinates"][AXIS]
        make(self.folder / f"fig6-{kind}.png", lambda path: self.grid(chosen).save(path))
        make(self.folder / f"fig7-{kind}.png", lambda path: self.aligned(chosen[0], [0.0]).save(path))
        make(self.folder / f"fig7-z{AXIS}.png", lambda path: self.aligned(axis, AXIS_VALUES).save(path))

    def chosen(self, kind: str) -> df.Directions:
        """Return the directions that are shown, named and turned like the published ones, with their extents."""
        directions = self.found[kind]
        if self.matrix is None:
            return dataclasses.replace(directions[:SHOWN], ranges=(5.0,) * SHOWN)
        places, cosines = match(self.matrix.vectors, directions.vectors)
        rows = [row for row, _ in self.about.rows.values()]
        picked = directions[[places[row] for row in rows]]
        return dataclasses.replace(
            picked,
            vectors=picked.vectors * cosines[rows].sign().float()[:, None],
            names=tuple(self.about.rows),
            ranges=tuple(extent for _, extent in self.about.rows.values()),
        )

    def grid(self, chosen: df.Directions) -> Image.Image:
        """Render Fig. 6."""
        samples = self.generator.samples(self.samples, seed=SEED, class_name=self.about.number)
        return df.grid(self.generator, chosen, samples)

    def aligned(self, direction: df.Direction, to: Sequence[float]) -> Image.Image:
        """Render Fig. 7."""
        samples = self.generator.samples(ALIGNED, seed=SEED, class_name=self.about.number)
        return df.align_sheet(self.generator, direction, samples, to)

    def page(self) -> list[str]:
        """Return the lines of the page about this class."""
        lines = [f"## {self.generator.class_names[self.about.number].split(',')[0]}", ""]
        if self.matrix is not None:
            lines += self.cosines()
        else:
            lines += ["No published matrix of this size was given, so there is nothing to match directions to.", ""]
        if self.loop:
            penalties = [step["penalty"] for step in self.loop.steps()]
            lines += ["| steps | penalty, first 1 % | last 10 % | fall in % | published |", "|---|---|---|---|---|"]
            lines += [f"| {' | '.join([*fall(penalties), self.about.fall])} |", ""]
        for title, name in (("The loop's penalty", "loss"), *self.figures()):
            if (self.folder / f"{name}.png").exists():
                lines += [f"{title}:", "", f"![{title}]({self.about.folder}/{name}.png)", ""]
        return lines

    def figures(self) -> list[tuple[str, str]]:
        """Return titles and names of the figures."""
        kinds = [*self.found]
        return [
            *((f"Fig. 6, directions of `{kind}`", f"fig6-{kind}") for kind in kinds),
            *((f"Fig. 7 a, b: samples, and aligned along the first of `{kind}`", f"fig7-{kind}") for kind in kinds),
            (f"Fig. 7 a, c: samples, and set to values of z_{AXIS}", f"fig7-z{AXIS}"),
        ]

    def cosines(self) -> list[str]:
        """Return the lines of the table of |cos| with the published matrix."""
        assert self.matrix is not None
        named = [f"{name} ({row})" for name, (row, _) in self.about.rows.items()]
        lines = [f"| \\|cos\\| with the published | {' | '.join(named)} | mean of {len(self.matrix)} | above {LEAST} |"]
        lines.append(f"|---|---|---|{'---|' * len(named)}")
        for name, directions in {**self.found, **self.references}.items():
            if name == PUBLISHED:
                continue
            places, cosines = match(self.matrix.vectors, directions.vectors)
            sizes = cosines.abs()
            cells = [f"{sizes[row]:.3f} (its {places[row]})" for row, _ in self.about.rows.values()]
            lines.append(f"| {name} | {' | '.join(cells)} | {sizes.mean():.3f} | {int((sizes > LEAST).sum())} |")
        return [*lines, ""]


def matrices(paths: Sequence[Path | None], generator: df.Generator) -> list[df.Directions | None]:
    """Read the published matrices of the classes; those of another size than the generator's z are left out."""
    read = [path and df.import_directions(path) for path in paths]
    for path, found in zip(paths, read, strict=True):
        if found and found.dim != generator.dim:
            click.echo(f"{path}: directions of {found.dim} dimensions, z has {generator.dim}; they are left out")
    return [found if found and found.dim == generator.dim else None for found in read]


def check_settings(out: Path, settings: dict[str, Any]) -> None:
    """Write the settings into the folder, or check that they are those with which it was begun."""
    path = out / "settings.json"
    if not path.exists():
        write_json(path, settings)
    begun = read_json(path)
    if different := [name for name in settings if begun.get(name) != settings[name]]:
        raise df.InputError(f"{out}: begun with other settings ({', '.join(different)}); give another folder as --out")


def page(parts: Sequence[Part], settings: dict[str, Any]) -> str:
    """Return the page."""
    said = ", ".join(f"{name} {value}" for name, value in settings.items())
    lines = ["# Directions of BigGAN, as in Fig. 6 and 7 of the Hessian Penalty's paper", ""]
    lines += [f"`python -m benchmarks.paper`, seed {SEED}: {said}. direction-finder {df.__version__}, torch "]
    lines[-1] += f"{torch.__version__}, {parts[0].generator.device}, {torch.get_num_threads()} threads."
    lines += ["", "`loop`: the paper's. `ours`: the default of `learn`. Numbers in brackets are places in each.", ""]
    return "\n".join([*lines, *(line for part in parts for line in part.page())])


@click.command()
@click.option("--generator", "spec", default="biggan-128", show_default=True, help="BigGAN, as `learn` takes it.")
@click.option("--published", type=FILE, default=GOLDENS, help="Published matrix of golden retrievers.")
@click.option("--church", type=FILE, help="Published matrix of churches.")
@click.option("--steps", default=50_000, show_default=True, help="Steps of the loop.")
@click.option("--batch-size", default=96, show_default=True, help="Samples of each step.")
@click.option("--points", default=48, show_default=True, help="Largest number of points of our method.")
@click.option("--samples", default=3, show_default=True, help="Samples that follow each direction (Fig. 6).")
@click.option("--max-batch", default=32, show_default=True, help="Images computed at once.")
@click.option("--device", default="auto", show_default=True, help="Where to compute.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("outputs/paper"), show_default=True)
def main(spec: str, published: Path, church: Path | None, samples: int, device: str, out: Path, **sizes: int) -> None:
    """Make everything that is not there yet."""
    try:
        generator = df.load_generator(spec, device=device, progress=True)
        paths = [published, church]
        settings = {"generator": spec, "weights_sha256": generator.weights_sha256, **sizes, "samples": samples}
        settings |= {
            f"matrix_{about.folder}": path and file_sha256(path) for about, path in zip(CLASSES, paths, strict=True)
        }
        check_settings(out, settings)
        read = matrices(paths, generator)
        parts = [Part(generator, about, out, matrix, samples) for about, matrix in zip(CLASSES, read, strict=True)]
        for kind in (PUBLISHED, OURS, LOOP):
            for part in parts:
                part.find(kind, sizes)
                with replacing(out / "index.md") as temporary:
                    temporary.write_text(page(parts, settings), encoding="utf-8")
    except df.DirectionFinderError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{out / 'index.md'} has everything")


if __name__ == "__main__":
    main()
