"""Report on directions, generators and runs with rankings, measurements, tables and pages."""

from typing import TYPE_CHECKING

from direction_finder.lazy import attach

if TYPE_CHECKING:
    from direction_finder.reports.describing import describe
    from direction_finder.reports.measures import Measurement, measure
    from direction_finder.reports.pages.gallery import write_gallery
    from direction_finder.reports.pages.page import write_page
    from direction_finder.reports.ranking import Ranking, rank

__all__ = ["Measurement", "Ranking", "describe", "measure", "rank", "write_gallery", "write_page"]
_HOMES = {
    "Measurement": "measures",
    "Ranking": "ranking",
    "describe": "describing",
    "measure": "measures",
    "rank": "ranking",
    "write_gallery": "pages.gallery",
    "write_page": "pages.page",
}
__getattr__, __dir__ = attach(__name__, _HOMES)
