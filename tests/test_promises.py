"""docs/promises.md says what the code says."""

import re
from pathlib import Path

from direction_finder.directions_check import LARGEST_NAME, TOLERANCE, Record
from direction_finder.directions_file import CURVED, FORMAT, MOST, TENSORS
from direction_finder.files import CONFIG, DIRECTIONS, LOG, PREVIEWS, RANK, STATE, STRIPS, TEMPORARY
from direction_finder.locks import LOCK
from direction_finder.reports.measures.raw import RAW
from direction_finder.runs.best_checkpoint import BEST
from direction_finder.runs.folder import FOUND, NEEDED
from direction_finder.runs.trainers import GENERATOR, SNAPSHOT, Upkeep
from direction_finder.runs.training import NEEDED as TRAINED
from direction_finder.settings import SAVE_EVERY

PAGE = (Path(__file__).parent.parent / "docs" / "promises.md").read_text()


def named(heading: str) -> set[str]:
    """Return what stands in backticks in the first column of the tables under a heading."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_the_directions_file_has_these_tensors_and_keys():
    assert named("The directions file") == {*TENSORS, *Record.__annotations__, "format"}
    assert f"| `format` | {FORMAT} or {CURVED} |" in PAGE and f"1 to {LARGEST_NAME} printable" in PAGE
    assert TOLERANCE == 1e-4 and "of length 1 within 1e-4" in PAGE
    assert MOST == 2**27 and "at most 2^27 numbers" in PAGE


def test_the_run_folder_has_these_files():
    files = named("The run folder")
    assert files >= {
        CONFIG,
        LOG,
        STATE,
        DIRECTIONS,
        RANK,
        STRIPS,
        LOCK,
        f"{PREVIEWS}/",
        f"{TEMPORARY}*",
        f"{RAW}/*.safetensors",
    }
    assert files >= {f"{GENERATOR}/", f"{GENERATOR}.safetensors", SNAPSHOT, BEST}


def test_every_key_of_a_configuration_is_named():
    section = PAGE.partition("Keys of `config.json`")[2]
    for key in {*FOUND, *NEEDED, *TRAINED}:
        assert f"`{key}`" in section, key


def test_states_are_saved_as_often_as_the_page_says():
    assert f"every {SAVE_EVERY:.0f} seconds by `learn` and every {Upkeep().save_every:.0f}" in PAGE
