"""Everything that versions 0.1 and 0.2 wrote is still read, and what they began can be resumed.

tests/golden/files-VERSION was written by that version: a run of the direct method with its ranking, reports and recipe,
a run of the loop, and a training, of small random networks.
"""

import shutil
from pathlib import Path

import pytest
import torch

from direction_finder.directions import Directions
from direction_finder.files import read_json
from tests.conftest import call

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(params=["0.1", "0.2"])
def older(request, tmp_path, monkeypatch) -> Path:
    """A copy of the files of a version, with its paths."""
    folder = tmp_path / "older"
    shutil.copytree(GOLDEN / f"files-{request.param}", folder)
    for path in folder.glob("*/*.json"):
        path.write_text(path.read_text().replace("HERE", str(folder)))
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ("render", "grid", "run", "--samples", 1, "--steps", 2),
        ("rank", "run", "--samples", 2, "--hessians", 2),
        ("measure", "run", "--metric", "share", "--samples", 3),
        ("align", "run", "--direction", 0, "--samples", 1),
        ("edit", "run", "--recipe", "run/edit.json"),
        ("name", "run", 0, "first"),
        ("export", "run", "--out", "rows.npy"),
        ("page", "run"),
        ("page", "training"),
        ("info", "run"),
        ("info", "run/edit.json"),
        ("info", "run/rank.json"),
        ("info", "run/share.json"),
        ("info", "training"),
    ],
    ids=lambda command: " ".join(map(str, command)),
)
def test_every_verb_reads_them(command, older):
    result = call(*command)
    assert result.exit_code == 0, result.stderr


def test_a_finished_search_is_resumed_with_more_points(older):
    assert call("learn", "--resume", "run", "--points", 12).exit_code == 0
    assert read_json("run/config.json")["settings"]["points"] == 12


def test_a_resumed_run_has_the_same_result(older):
    """The state is at the end, so that nothing is computed but the result."""
    for name in ("run", "loop"):
        before = Directions.load(name)
        (older / name / "directions.safetensors").unlink()
        result = call("learn", "--resume", name)
        assert result.exit_code == 0, result.stderr
        assert torch.allclose(Directions.load(name).vectors, before.vectors, atol=1e-4)


def test_a_training_is_resumed(older):
    before = (older / "training" / "generator.safetensors").read_bytes()
    (older / "training" / "generator.safetensors").unlink()
    assert call("train", "progan", "--resume", "training", "--score-every", 0).exit_code == 0
    assert (older / "training" / "generator.safetensors").read_bytes() == before
    assert call("train", "progan", "--resume", "training", "--score-every", 0, "--kimg", 0.028).exit_code == 0
