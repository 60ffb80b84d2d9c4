"""Render labelled sheets of images row by row: in memory, or straight into a file of any size."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from direction_finder.images import Row, sheet_image, write_sheet
from direction_finder.progress import OnStep, counted


@dataclass(frozen=True)
class Sheet:
    """Describe a sheet that is not rendered yet.

    rows: a function that renders `count` rows, one at a time. columns, labels: texts above and beside the images.
    notes: remarks for the user.
    """

    rows: Callable[[], Iterator[Row]]
    columns: list[str]
    labels: list[str]
    count: int
    notes: tuple[str, ...] = ()

    def image(self, on_step: OnStep | None = None) -> Image.Image:
        """Render the sheet in memory."""
        rows = counted(self.rows(), self.count, "rendering", "row", on_step)
        return sheet_image(rows, columns=self.columns, labels=self.labels)

    def save(self, path: str | Path, made: dict[str, Any] | None = None, on_step: OnStep | None = None) -> None:
        """Render the sheet into a PNG, a row at a time. made: how it was made, which is saved in the file."""
        rows = counted(self.rows(), self.count, Path(path).name, "row", on_step)
        write_sheet(path, rows, columns=self.columns, labels=self.labels, made=made)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.image().save(buffer, "PNG")
        return buffer.getvalue()
