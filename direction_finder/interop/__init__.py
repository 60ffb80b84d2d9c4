"""Import directions from other tools' files, and export directions for other tools."""

from direction_finder.interop.exporting import export_directions
from direction_finder.interop.importing import METHOD, as_directions, import_directions
from direction_finder.interop.matrices import Matrix, read_matrix

__all__ = ["METHOD", "Matrix", "as_directions", "export_directions", "import_directions", "read_matrix"]
