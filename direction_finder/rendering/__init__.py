"""Generator, directions and samples in; sheets, films and alignment sheets out. Knows no run folder."""

from typing import TYPE_CHECKING

from direction_finder.lazy import attach

if TYPE_CHECKING:
    from direction_finder.rendering.api import align_sheet, compare, grid, video
    from direction_finder.rendering.films import Film
    from direction_finder.rendering.sheets import Sheet

__all__ = ["Film", "Sheet", "align_sheet", "compare", "grid", "video"]
_HOMES = {**dict.fromkeys(("align_sheet", "compare", "grid", "video"), "api"), "Film": "films", "Sheet": "sheets"}
__getattr__, __dir__ = attach(__name__, _HOMES)
