"""Define `direction-finder scenes`, which renders data sets with known factors and checks them."""

from pathlib import Path
from typing import Any

import click

from direction_finder.commands.numbers import SEED, Whole
from direction_finder.commands.options import several
from direction_finder.commands.paths import Place
from direction_finder.commands.printing import say
from direction_finder.errors import InputError
from direction_finder.settings import MOST_PIXELS, MOST_PROCESSES, MOST_ROWS

TEXTS = {
    "clevr-simple": "Render one object whose colour, shape, x and y vary.",
    "clevr-1fov": "Render one red cube that moves along one axis.",
    "clevr-complex": "Render two objects whose colour, shape, size, x and y vary.",
    "shapes": "Render a cube, sphere or cylinder whose x, y, size, hue and light vary.",
    "sprites": "Draw a white square, ellipse or heart whose scale, orientation, x and y vary; without Mitsuba.",
    "edges-and-shapes": "Render `shapes`; half of the images show only edges.",
}
FOLDER = Place(file=False)
SIZE, COUNT = Whole(least=16, most=MOST_PIXELS), Whole(least=1, most=MOST_ROWS)
set_options = several(
    click.option("--resolution", default=64, show_default=True, type=SIZE, help="Width and height of the images."),
    click.option("--out", required=True, type=FOLDER, help="Folder for the data set."),
    click.option(
        "--workers",
        type=Whole(least=1, most=MOST_PROCESSES),
        help="Number of processes, with one thread each.  [default: one per core]",
    ),
)


@click.group()
def scenes() -> None:
    """Render data sets whose factors are known, and check them.

    Each image depends only on the kind of scene, the seed and its index. Repeat a stopped command to resume it; a
    larger --num adds images.

    \b
    direction-finder scenes shapes --num 10000 --resolution 64 --seed 0 --out data/shapes
    direction-finder scenes verify data/shapes
    """


def _rendered(kind: str) -> click.Command:
    example = f"Example: direction-finder scenes {kind} --num 10000 --seed 0 --out data/{kind}"

    @scenes.command(kind, help=TEXTS[kind], short_help=TEXTS[kind], epilog=example)
    @click.option("--num", default=10000, show_default=True, type=COUNT, help="Number of images.")
    @click.option("--seed", default=0, show_default=True, type=SEED, help="Seed of the factors.")
    @set_options
    def command(out: Path, **options: Any) -> None:
        from direction_finder.scenes import make

        make(kind, out, progress=True, **options)
        say(f"{options['num']} images and their factors in {out}")

    return command


for scene in TEXTS:
    _rendered(scene)


@scenes.command(
    "edges-and-shoes",
    epilog="Example: direction-finder scenes edges-and-shoes --from edges2shoes/train --out data/shoes",
)
@click.option("--from", "source", required=True, type=FOLDER, help="Folder edges2shoes/train of pix2pix.")
@click.option("--num", type=COUNT, help="Number of images.  [default: two per file]")
@set_options
def edges_and_shoes(workers: int | None, out: Path, source: Path, num: int | None, resolution: int) -> None:
    """Split the image pairs of pix2pix's edges2shoes into separate images."""
    from direction_finder.scenes import make_edges_and_shoes

    data = make_edges_and_shoes(source, out, num=num, resolution=resolution, workers=workers, progress=True)
    say(f"{len(data)} images in {out}")


@scenes.command(epilog="Example: direction-finder scenes verify data/shapes")
@click.argument("folder", type=FOLDER)
@click.option(
    "--redraw",
    default=20,
    show_default=True,
    type=Whole(least=0, most=MOST_ROWS),
    help="Number of images to render again.",
)
def verify(folder: Path, redraw: int) -> None:
    """Check a data set: compare every file with its checksum, and render some images again."""
    import numpy as np

    from direction_finder.datasets import Dataset
    from direction_finder.scenes import redrawn

    data = Dataset.open(folder)
    if damaged := data.damaged():
        raise InputError(
            f"{folder}: {len(damaged)} files are missing or changed, the first {damaged[0]}; delete them and "
            "checksums.sha256, and repeat the command that made the data set"
        )
    chosen = np.linspace(0, len(data) - 1, min(redraw, len(data))).round().astype(int).tolist()
    if wrong := redrawn(data, chosen) if chosen else []:
        raise InputError(
            f"{folder}: image {wrong[0]} is rendered differently here ({len(wrong)} of {len(chosen)} differ)"
        )
    say(f"{folder}: {len(data)} images are undamaged; {len(chosen)} rendered again are identical")
