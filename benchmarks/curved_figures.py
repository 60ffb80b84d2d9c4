"""Render the figures of docs/curved.md into a folder, and print how even straight and curved paths are.

`curved-levels.png`: level lines of the coordinates that bend most, in the plane of their direction and the one that
bends them most. `curved-paths.png` and `curved-eyes.png`: samples moved along straight and curved paths, one above the
other. `curved-align.png`: samples aligned along both. Evenness is the largest distance of consecutive images divided by
the smallest, over seven equal steps and averaged samples.

python -m benchmarks.curved_figures [--out docs/images]
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import matplotlib.pyplot as plt
import torch
from PIL import Image

import direction_finder as df
from direction_finder import edits
from direction_finder.direction import Direction
from direction_finder.directions import Directions
from direction_finder.generators import Generator
from direction_finder.images import Row
from direction_finder.metrics.even_spacing import along
from direction_finder.metrics.features import lite0_similarity
from direction_finder.rendering.drawing import drawn, numbers
from direction_finder.rendering.sheets import Sheet
from direction_finder.samples import Samples

STEPS, EXTENT = 7, 3.0
MEASURED = 16  # samples over which evenness is averaged


def most_bent(curved: Directions, count: int) -> list[Direction]:
    """Return the directions of largest S."""
    return sorted(
        (each for each in curved if each.curve), key=lambda each: float(each.curve.bends.norm()), reverse=True
    )[:count]


def partner(direction: Direction, curved: Directions) -> Direction:
    """Return the other direction in whose plane with this one S is largest."""
    curve = direction.curve
    seen = curved.vectors @ curve.axes.mT  # (num, rank)
    matrix = (seen * curve.bends) @ seen.mT
    own = (curved.vectors @ direction.vector).argmax()
    sizes = matrix.diagonal().square() + 2 * matrix[own].square()
    sizes[own] = 0
    return curved[int(sizes.argmax())]


def levels(path: Path, curved: Directions, directions: Sequence[Direction]) -> None:
    """Plot level lines of coordinates, curved and (dashed) straight."""
    figure, panels = plt.subplots(1, len(directions), figsize=(3.1 * len(directions), 3.2), layout="constrained")
    ticks = torch.linspace(-EXTENT, EXTENT, 121)
    down, across = torch.meshgrid(ticks, ticks, indexing="ij")
    for axes, each in zip(panels, directions, strict=True):
        other = partner(each, curved)
        points = across[..., None] * each.vector + down[..., None] * other.vector
        values = list(range(-3, 4))
        axes.contour(ticks, ticks, across, values, colors="0.8", linestyles="dashed", linewidths=0.8)
        lines = axes.contour(ticks, ticks, each.curve.coordinate(points), values, cmap="coolwarm")
        axes.clabel(lines, fontsize=7)
        axes.set(xlabel=f"along direction {each.number}", ylabel=f"along direction {other.number}", aspect="equal")
        axes.set_title(f"coordinate {each.number}", fontsize=10, loc="left")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def paths(generator: Generator, directions: Sequence[Direction], samples: Samples) -> Sheet:
    """Return a sheet with two rows for each direction and sample: along the line, and along the curve."""
    positions = torch.linspace(-EXTENT, EXTENT, STEPS)
    versions = [
        (f"{number + 1} {kind}", f"direction {each.number}" if not number and kind == "straight" else "", along_it, row)
        for each in directions
        for number, row in enumerate(samples)
        for kind, along_it in (("straight", each.straight), ("curved", each))
    ]

    def rows() -> Iterator[Row]:
        for name, title, each, sample in versions:
            moved = edits.move(sample.latents.expand(STEPS, -1, -1), each, positions)
            yield Row(name, drawn(generator, moved, sample.class_numbers.expand(STEPS), 32), title)

    return Sheet(rows, numbers(positions), [name for name, *_ in versions], len(versions))


def evenness(generator: Generator, direction: Direction, samples: Samples) -> float:
    """Return the largest distance of consecutive images, divided by the smallest."""
    distances = along(generator, lite0_similarity(generator.device), direction, samples)
    gaps = distances(torch.linspace(-EXTENT, EXTENT, STEPS))
    return float(gaps.max() / gaps.min())


def align(generator: Generator, direction: Direction, samples: Samples) -> Image.Image:
    """Return the samples, and the samples aligned at three values along the line and along the curve."""
    rows = {"original": samples}
    for value in (-1.5, 0.0, 1.5):
        for kind, each in (("straight", direction.straight), ("curved", direction)):
            rows[f"{kind}, {value:g}"] = edits.align(samples, each, value)
    return df.compare(generator, rows, title=f"direction {direction.number}")


@click.command()
@click.option("--out", default="docs/images", type=click.Path(path_type=Path))
@torch.no_grad()
def main(out: Path) -> None:
    """Render all figures."""
    shapes, eyes = df.load_generator("shapes-64"), df.load_generator("eyes")
    cubes = df.bend(shapes, df.find(shapes, class_name="cube"))
    x, size = cubes[0], cubes[6]
    levels(out / "curved-levels.png", cubes, most_bent(cubes, 4))
    samples = shapes.samples(4, seed=4, class_name="cube")
    paths(shapes, [x], samples[:2]).save(out / "curved-paths.png")
    align(shapes, x, samples).save(out / "curved-align.png")
    blue = df.bend(eyes, df.find(eyes, class_name="blue"))
    several = most_bent(blue, 3)
    sheet = paths(eyes, several, eyes.samples(1, seed=4, class_name="blue"))
    sheet.image().quantize(128).save(out / "curved-eyes.png", optimize=True)
    for generator, name, directions in ((shapes, "cube", [x, size]), (eyes, "blue", several)):
        measured = generator.samples(MEASURED, seed=5, class_name=name)
        for each in directions:
            ratios = [evenness(generator, along_it, measured) for along_it in (each.straight, each)]
            size_of = float(each.curve.bends.norm())
            print(f"{name} {each.number}: |S| {size_of:.2f}, evenness straight {ratios[0]:.2f}, curved {ratios[1]:.2f}")


if __name__ == "__main__":
    main()
