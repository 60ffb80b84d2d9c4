"""The notebook in examples/ runs from top to bottom, uses the public functions only, and is small."""

import nbformat
import pytest

from tests.notebook import NOTEBOOK, executed

BOOK = nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_short_and_has_its_outputs():
    assert len(BOOK.cells) <= 12 and NOTEBOOK.stat().st_size < 500_000
    code = [cell for cell in BOOK.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in code)
    imports = [line for cell in code for line in cell.source.splitlines() if "import" in line]
    assert imports == ["import direction_finder as df"]


@pytest.mark.slow
def test_it_runs():
    before, after = BOOK.cells, executed().cells
    images = [[bool(output.get("data", {}).get("image/png")) for output in cell.get("outputs", [])] for cell in after]
    assert sum(map(sum, images)) == 2
    assert [cell.source for cell in before] == [cell.source for cell in after]
