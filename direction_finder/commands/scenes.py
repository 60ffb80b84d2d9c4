"""`direction-finder scenes`: render data sets with known factors, and check them."""

from pathlib import Path
from typing import Any

import click

from direction_finder.commands.options import several
from direction_finder.errors import InputError

TEXTS = {
    "clevr-simple": "One object; colour, shape, x and y vary.",
    "clevr-1fov": "One red cube, which moves along one axis.",
    "clevr-complex": "Two objects; colour, shape, size, x and y of each vary.",
    "shapes": "One cube, sphere or cylinder; x, y, size, hue and the light's azimuth vary.",
    "edges-and-shapes": "Edge maps of `shapes` renders and renders, half and half.",
}
FOLDER = click.Path(file_okay=False, path_type=Path)
set_options = several(
    click.option("--resolution", default=64, show_default=True, type=click.IntRange(16), help="Width and height."),
    click.option("--out", required=True, type=FOLDER, help="Folder of the data set."),
    click.option("--workers", type=click.IntRange(1), help="Processes, of one thread each.  [default: one a core]"),
)


@click.group()
def scenes() -> None:
    """Render data sets whose factors are known, and check them.

    A picture depends on its kind, the seed and its index alone. A command that was stopped goes on where it was when it
    is given again; a larger --num adds pictures.

    \b
    direction-finder scenes shapes --num 10000 --resolution 64 --seed 0 --out data/shapes
    direction-finder scenes verify data/shapes
    """


def _rendered(kind: str) -> click.Command:
    @scenes.command(kind, help=TEXTS[kind], short_help=TEXTS[kind])
    @click.option("--num", default=10000, show_default=True, type=click.IntRange(1), help="How many pictures.")
    @click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the factors.")
    @set_options
    def command(out: Path, **options: Any) -> None:
        from direction_finder.scenes import make

        make(kind, out, progress=True, **options)
        click.echo(f"{options['num']} pictures and their factors in {out}")

    return command


for each in TEXTS:
    _rendered(each)


@scenes.command("edges-and-shoes")
@click.option("--from", "source", required=True, type=FOLDER, help="edges2shoes/train of pix2pix.")
@click.option("--num", type=click.IntRange(1), help="How many pictures.  [default: two a file]")
@set_options
def edges_and_shoes(workers: int | None, out: Path, source: Path, num: int | None, resolution: int) -> None:
    """Take pix2pix's edges2shoes pairs apart."""
    from direction_finder.scenes import make_edges_and_shoes

    data = make_edges_and_shoes(source, out, num=num, resolution=resolution, workers=workers, progress=True)
    click.echo(f"{len(data)} pictures in {out}")


@scenes.command()
@click.argument("folder", type=FOLDER)
@click.option("--redraw", default=20, show_default=True, type=click.IntRange(0), help="Pictures rendered once more.")
def verify(folder: Path, redraw: int) -> None:
    """Compare every file with its checksum, and some pictures with what is rendered now."""
    import numpy as np

    from direction_finder.datasets import Dataset
    from direction_finder.scenes import redrawn

    data = Dataset.open(folder)
    if damaged := data.damaged():
        raise InputError(
            f"{folder}: {len(damaged)} files are missing or changed, the first {damaged[0]}; delete them and "
            "checksums.sha256 and give the command that made the set again"
        )
    chosen = np.linspace(0, len(data) - 1, min(redraw, len(data))).round().astype(int).tolist()
    if wrong := redrawn(data, chosen) if chosen else []:
        raise InputError(f"{folder}: picture {wrong[0]} is rendered otherwise here ({len(wrong)} of {len(chosen)})")
    click.echo(f"{folder}: {len(data)} pictures whole, {len(chosen)} rendered again byte for byte")
