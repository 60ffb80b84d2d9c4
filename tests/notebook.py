"""Execute the notebook in examples/ and save its outputs: `python -m tests.notebook`."""

import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent.parent / "examples" / "tour.ipynb"


def executed() -> nbformat.NotebookNode:
    """Return the notebook with the outputs of its cells. Raises CellExecutionError if one fails."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times, which change with every run
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(), NOTEBOOK)
