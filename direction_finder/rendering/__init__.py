"""Render directions and samples as sheets, videos and alignment sheets. Nothing here depends on run folders."""

from typing import TYPE_CHECKING

from direction_finder.lazy import attach

if TYPE_CHECKING:
    from direction_finder.rendering.api import align_sheet, compare, grid, video
    from direction_finder.rendering.sheets import Sheet
    from direction_finder.rendering.videos import Video

__all__ = ["Sheet", "Video", "align_sheet", "compare", "grid", "video"]
_HOMES = {**dict.fromkeys(("align_sheet", "compare", "grid", "video"), "api"), "Video": "videos", "Sheet": "sheets"}
__getattr__, __dir__ = attach(__name__, _HOMES)
