"""`direction-finder align`: the same value along a direction for every sample."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from direction_finder import edits
from direction_finder.commands import completion
from direction_finder.commands.options import RunPath, samples_option, target_options
from direction_finder.commands.target import Target, column_labels
from direction_finder.pictures import Row, write_sheet


@click.command(
    epilog="Example: direction-finder align outputs/00001-hessian-eyes-blue --direction 5 --to -2 --to 0 --to 2"
)
@click.argument("target", type=RunPath())
@click.option(
    "--direction", shell_complete=completion.directions, required=True, metavar="NUMBER", help="Which direction."
)
@click.option(
    "--to",
    "values",
    type=float,
    multiple=True,
    help="Coordinate to set; repeat for several rows.  [default: 0, and the ends of the usable range]",
)
@samples_option
@click.option(
    "--out", type=click.Path(path_type=Path), help="File to write, .png.  [default: align-NUMBER.png in the run folder]"
)
@target_options
def align(
    target: Path, direction: str, values: tuple[float, ...], samples: int, out: Path | None, **options: Any
) -> None:
    """Draw samples as they are and aligned: their component along a direction removed and set to a value.

    As in the paper's Fig. 7: the original row, then a row for each value.
    """
    opened = Target.open(target, options["generator"], options["device"], options["max_batch"])
    index = opened.pick_one(direction)
    latents, classes = opened.samples(samples, options["seed"], options["class_text"])
    out = out or opened.folder / f"align-{index}.png"
    chosen = opened.directions[index]
    reach = chosen.usable_range
    values = values or ((-reach, 0.0, reach) if reach else (0.0,))
    labels = ["original", *(f"set to {value:.3g}" for value in values)]

    def rows() -> Iterator[Row]:
        yield Row(labels[0], opened.draw(latents, classes), opened.label(index))
        for label, value in zip(labels[1:], values, strict=True):
            aligned = edits.align(latents, chosen, value)
            yield Row(label, opened.draw(aligned, classes))

    made = opened.made("align", direction=index, to=list(values), samples=samples, seed=options["seed"])
    write_sheet(out, rows(), columns=column_labels(samples), labels=labels, made=made)
    click.echo(out)
