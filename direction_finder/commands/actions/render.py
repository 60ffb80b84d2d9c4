"""What `direction-finder render` does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from direction_finder import edits
from direction_finder.commands.options import SHOWN, bar
from direction_finder.commands.target import Target, column_labels
from direction_finder.errors import InputError
from direction_finder.metrics.even import along, even_positions
from direction_finder.metrics.features import similarity_of
from direction_finder.pictures import Row, margin, row_strip, write_sheet, write_video

KNOTS = 17  # positions that an even film goes through


def grid(target: Path, layout: str, steps: int, directions: str | None, out: Path | None, **options: Any) -> None:
    """Draw a labelled sheet of pictures along directions, as .png."""
    opened = Target.open(target, options["generator"], options["device"], options["max_batch"])
    picked = opened.pick(directions, 2 if layout == "pair" else SHOWN)
    out = out or opened.folder / f"{'grid' if layout == 'blocks' else layout}.png"
    sheet = Sheet(opened, layout, picked, steps, options)
    rows, columns, labels, count = getattr(sheet, layout)()
    made = opened.made("render grid", layout=layout, directions=picked, steps=steps, **_kept(options))
    with bar(count, out.name, "row") as progress:
        write_sheet(out, _counted(rows, progress), columns=columns, labels=labels, made=made)
    click.echo(out)


class Sheet:
    """The rows of each layout. Every method gives rows, column labels, row labels and the number of rows."""

    def __init__(self, target: Target, layout: str, picked: list[int], steps: int, options: dict[str, Any]):
        self.target, self.picked, self.options = target, picked, options
        self.edit = edits.align if options["absolute"] else edits.move
        self.latents, self.classes = target.samples(options["samples"], options["seed"], options["class_text"])
        self.samples = column_labels(len(self.latents))
        self.positions = torch.linspace(-1, 1, steps)
        if options["even"] and layout != "blocks":
            raise InputError(f"--even is for layout blocks, not {layout}")
        around_zero = not options["absolute"]  # the sample as it is stands in the middle
        self.evened = {}
        if options["even"]:
            self.evened = _evened(target, picked, steps, self.latents, self.classes, options, around_zero)

    def blocks(self) -> tuple[Iterator[Row], list[str], list[str], int]:
        """A section for each direction: samples down, positions across."""
        extents = {self.target.extent(i, self.options["extent"]) for i in self.picked}
        same = len(extents) == 1 and not self.evened
        columns = numbers(self.positions * (extents.copy().pop() if same else 1))
        if self.evened:
            middle = len(self.positions) // 2 if len(self.positions) % 2 and not self.options["absolute"] else -1
            columns = [f"{number - middle:+d}" if number != middle else "0" for number in range(len(self.positions))]

        def rows() -> Iterator[Row]:
            for index in self.picked:
                extent = self.target.extent(index, self.options["extent"])
                title = self.target.label(index) + ("" if same else f"  (extent {extent:.3g})")
                positions = self.positions * extent
                if index in self.evened:
                    positions = self.evened[index]
                    title += f"  at {' '.join(numbers(positions))}"
                for sample in range(len(self.latents)):
                    images = self.line(index, sample, positions)
                    yield Row(self.samples[sample], images, "" if sample else title)

        return rows(), columns, self.samples, len(self.picked) * len(self.latents)

    def overview(self) -> tuple[Iterator[Row], list[str], list[str], int]:
        """Samples down; across, each as it is and at the full extent of every direction."""

        def rows() -> Iterator[Row]:
            for sample in range(len(self.latents)):
                own = self.latents[sample : sample + 1]
                moved = [
                    self.edit(own, self.target.directions[i], self.target.extent(i, self.options["extent"]))
                    for i in self.picked
                ]
                images = self.draw(torch.cat([own, *moved]), sample)
                yield Row(self.samples[sample], images)

        columns = ["original", *(str(self.target.directions[i].name or i) for i in self.picked)]
        return rows(), columns, self.samples, len(self.latents)

    def pair(self) -> tuple[Iterator[Row], list[str], list[str], int]:
        """A section for each sample: one direction across, another down, as in the paper's Fig. 2 (right)."""
        if len(self.picked) != 2:
            raise InputError(f"layout pair takes two directions, got {len(self.picked)}: e.g. --directions 3,5")
        across, down = self.picked
        wide, high = (self.positions * self.target.extent(i, self.options["extent"]) for i in self.picked)
        labels = numbers(high)

        def rows() -> Iterator[Row]:
            other = self.target.directions[down]
            for sample in range(len(self.latents)):
                title = f"{self.samples[sample]}: {self.target.label(across)} across, {self.target.label(down)} down"
                for step, position in enumerate(high.tolist()):
                    base = self.edit(self.latents[sample : sample + 1], other, position)
                    yield Row(labels[step], self.line(across, sample, wide, base), "" if step else title)

        return rows(), numbers(wide), labels, len(self.latents) * len(high)

    def line(self, index: int, sample: int, positions: torch.Tensor, base: torch.Tensor | None = None) -> np.ndarray:
        """One sample (or an edited one) at several positions along a direction."""
        base = self.latents[sample : sample + 1] if base is None else base
        moved = self.edit(base.expand(len(positions), -1, -1), self.target.directions[index], positions)
        return self.draw(moved, sample)

    def draw(self, latents: torch.Tensor, sample: int) -> np.ndarray:
        return self.target.draw(latents, self.classes[sample : sample + 1].expand(len(latents)))


def video(
    target: Path, seconds: float, fps: int, rows: int, directions: str | None, out: Path | None, **options: Any
) -> None:
    """Film all samples moving along directions and back, as .mp4 (or .gif, by the ending of --out)."""
    opened = Target.open(target, options["generator"], options["device"], options["max_batch"])
    picked = opened.pick(directions, SHOWN)
    out = out or opened.folder / "video.mp4"
    frames_per_page = max(2, round(seconds * fps))
    pages = [picked[i : i + rows] for i in range(0, len(picked), rows)]
    made = opened.made("render video", directions=picked, **_kept(options))
    with bar(len(pages) * frames_per_page, out.name, "frame") as progress:
        count = write_video(out, _counted(_film(opened, pages, frames_per_page, options), progress), fps=fps, made=made)
    click.echo(f"{out} ({count} frames)")


def _film(target: Target, pages: list[list[int]], frames: int, options: dict[str, Any]) -> Iterator[np.ndarray]:
    """Frames: a row for each direction of the page, a column for each sample; a short last page is padded."""
    latents, classes = target.samples(options["samples"], options["seed"], options["class_text"])
    edit = edits.align if options["absolute"] else edits.move
    labels = {index: target.directions[index].name or str(index) for page in pages for index in page}
    left = 0
    for page in pages:
        if options["even"]:
            evened = _evened(target, page, KNOTS, latents, classes, options)
            walks = {index: edits.steady_walk(frames, evened[index]) for index in page}
        else:
            walks = {index: edits.walk(frames, target.extent(index, options["extent"])) for index in page}
        for frame in range(frames):
            moved = [edit(latents, target.directions[index], float(walks[index][frame])) for index in page]
            images = target.draw(torch.cat(moved), classes.repeat(len(page)))
            left = left or margin(labels.values(), images.shape[2])
            rows = images.reshape(len(page), len(latents), *images.shape[1:])
            strips = [row_strip(Row(labels[index], row), left=left) for index, row in zip(page, rows, strict=True)]
            missing = len(pages[0]) - len(page)
            yield np.concatenate(strips + [np.full_like(strips[0], 255)] * missing)


def _evened(
    target: Target,
    picked: list[int],
    count: int,
    latents: torch.Tensor,
    classes: torch.Tensor,
    options: dict[str, Any],
    around_zero: bool = False,
) -> dict[int, torch.Tensor]:
    """Positions along each direction at which consecutive pictures are equally far apart."""
    similarity, name = similarity_of(options["features"], target.generator.device, options["weights"])
    how = {"absolute": options["absolute"], "max_batch": target.max_batch}
    found = {}
    with bar(len(picked), "spacing pictures evenly", "direction") as progress:
        for index in picked:
            distances = along(target.generator, similarity, target.directions[index], latents, classes, **how)
            extent = target.extent(index, options["extent"])
            found[index] = even_positions(distances, extent, count, around_zero=around_zero)
            progress.update()
    for index, even in found.items():
        click.echo(
            f"{target.label(index)}: the largest of {count - 1} steps is {even.ratio:.2f} times the smallest ({name}); "
            f"of uniform ones {even.uniform:.2f} times",
            err=True,
        )
    return {index: even.positions for index, even in found.items()}


def numbers(positions: torch.Tensor) -> list[str]:
    """Positions as short labels; the middle one reads 0, not 1e-8."""
    return [f"{position:+.3g}" if abs(position) > 1e-4 else "0" for position in positions.tolist()]


def _counted(items: Iterator[Any], progress: Any) -> Iterator[Any]:
    for item in items:
        yield item
        progress.update()


def _kept(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("samples", "seed", "extent", "even", "absolute", "class_text")}
