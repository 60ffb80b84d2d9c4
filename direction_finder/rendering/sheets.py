"""Labelled sheets of pictures, drawn row by row: as an image, or into a file however large they are."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from direction_finder.pictures import Row, sheet_image, write_sheet
from direction_finder.progress import OnStep, counted


@dataclass(frozen=True)
class Sheet:
    """A sheet that is not drawn yet. rows: draws `count` rows, one at a time. columns, labels: what stands above and
    beside the pictures. notes: what there is to say of it."""

    rows: Callable[[], Iterator[Row]]
    columns: list[str]
    labels: list[str]
    count: int
    notes: tuple[str, ...] = ()

    def image(self, on_step: OnStep | None = None) -> Image.Image:
        """Draw it in memory."""
        rows = counted(self.rows(), self.count, "drawing", "row", on_step)
        return sheet_image(rows, columns=self.columns, labels=self.labels)

    def save(self, path: str | Path, made: dict[str, Any] | None = None, on_step: OnStep | None = None) -> None:
        """Draw it into a PNG, a row at a time. made: how, which the file keeps."""
        rows = counted(self.rows(), self.count, Path(path).name, "row", on_step)
        write_sheet(path, rows, columns=self.columns, labels=self.labels, made=made)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.image().save(buffer, "PNG")
        return buffer.getvalue()
