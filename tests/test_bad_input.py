"""Whatever is wrong is said in one line, with exit code 2, no traceback, and nothing half-written."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from direction_finder.directions import Directions
from tests.conftest import NUM_CLASSES, call, dcgan_state
from tests.test_weights import Bomb


@pytest.fixture
def bad(tmp_path, dcgan_file, biggan_folder) -> Path:
    """A folder of checkpoints, each wrong in its own way."""
    folder = tmp_path / "bad"
    folder.mkdir()
    whole = Path(dcgan_file).read_bytes()
    (folder / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (folder / "page.pth").write_text("<!DOCTYPE html><html>Sign in</html>")
    (folder / "empty.pth").touch()
    torch.save({**dcgan_state(), "main.3.weight": torch.ones(7, 8, 4, 4)}, folder / "shape.pth")
    torch.save({**dcgan_state(), "main.0.weight": torch.full((9, 16, 4, 4), torch.nan)}, folder / "nan.pth")
    torch.save(torch.ones(3, 3), folder / "tensor.pth")
    torch.save({"state_dict": dcgan_state(), "bomb": Bomb(tmp_path / "ran")}, folder / "code.pth")
    return folder


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in sorted(folder.rglob("*"))}


def refused(folder: Path, *arguments: object) -> str:
    """Run, and check the manners of the refusal; the line printed."""
    before = snapshot(folder)
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert snapshot(folder) == before
    return line


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.pth", "no such file"),
        ("cut.pth", "damaged or cut short"),
        ("page.pth", "a web page"),
        ("empty.pth", "empty"),
        ("shape.pth", "shape (7, 8, 4, 4), expected (16, 8, 4, 4)"),
        ("nan.pth", "main.0.weight holds NaN"),
        ("tensor.pth", "single tensor (3, 3)"),
        ("code.pth", "refused without running"),
    ],
)
def test_checkpoints(name, words, bad, tmp_path):
    line = refused(tmp_path, "learn", "--generator", f"dcgan:{bad / name}", "--out", tmp_path / "run")
    assert words in line
    assert name in line
    assert not (tmp_path / "ran").exists()


LEARN = ("--method", "hessian", "--steps", "1", "--batch-size", "1")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--class", "class"), "ambiguous"),
        (("--class", "zebra"), "unknown"),
        (("--class", "7"), "numbered 0 to 2"),
        (("--class", "0", "--class", "1"), "there are 2 runs"),
        (("--steps", "0"), "'--steps': '0': expected at least 1"),
        (("--batch-size", "0"), "'--batch-size': '0': expected at least 1"),
        (("--num-directions", "99"), "6 dimensions"),
        (("--layers", "0-3"), "layers 0 to 0"),
        (("--dims", "x-y"), "expected a range like 0-39"),
        (("--at", "layer7"), "it has layer0, layer1, image"),
        (("--method", "random"), "no setting"),
        (("--method", "pca"), "'pca' is not one of"),
        (("--truncation", "-1"), "'--truncation': '-1': expected at least 0.001"),
        (("--dim", "4"), "dim is read"),
        (("--num-classes", "9"), "takes 9 inputs"),
        (("--device", "abacus"), "abacus"),
        (("--start", "nowhere.safetensors"), "no such file"),
        (("--colour", "red"), "No such option"),
        (("--out", "/dev/null/run"), "/dev/null"),
    ],
)
def test_learn(options, words, dcgan_file, tmp_path):
    out = () if "--out" in options else ("--out", tmp_path / "run")
    base = ("learn", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, *LEARN, *out)
    assert words in refused(tmp_path, *base, *options)


def test_learn_without_a_generator(tmp_path):
    assert "--generator shapes-64" in refused(tmp_path, "learn")
    assert "biggan-deep:FOLDER" in refused(tmp_path, "learn", "--generator", "stylegan9")


def test_a_folder_in_use_is_not_touched(run_folder, dcgan_file):
    base = ("learn", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, *LEARN, "--out")
    assert "--resume" in refused(run_folder, *base, run_folder)
    (run_folder / "config.json").unlink()
    assert "not empty" in refused(run_folder, *base, run_folder)


def test_a_folder_that_is_no_run(tmp_path, biggan_folder):
    for folder in (tmp_path, biggan_folder, tmp_path / "nothing"):
        assert "not a run folder" in refused(tmp_path, "learn", "--resume", folder)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("align", "RUN", "--direction", "6"), "numbered 0 to 5"),
        (("align", "RUN", "--direction", "-1"), "expected numbers"),
        (("align", "RUN"), "--direction"),
        (("render", "grid", "RUN", "--directions", "0-9"), "numbered 0 to 5"),
        (("render", "grid", "RUN", "--directions", "3-1"), "expected numbers"),
        (("render", "grid", "RUN", "--samples", "0"), "samples"),
        (("render", "grid", "RUN", "--out", "RUN/grid.bmp"), ".png"),
        (("render", "video", "RUN", "--out", "RUN/video.avi"), ".mp4 or .gif"),
        (("render", "grid", "RUN", "--out", "/dev/null/grid.png"), "/dev/null"),
        (("render", "grid", "RUN", "--generator", "eyes"), "dimensions"),
        (("edit", "RUN", "--step", "turn:1=2"), "align:5=0"),
        (("edit", "RUN", "--step", "align:9=2"), "numbered 0 to 5"),
        (("edit", "RUN"), "--step"),
        (("render", "grid", "RUN/nothing"), "does not exist"),
    ],
)
def test_directions(command, words, run_folder):
    assert words in refused(run_folder, *(part.replace("RUN", str(run_folder)) for part in command))


def test_directions_of_another_generator(run_folder, tmp_path):
    other = tmp_path / "other.pth"
    torch.save(dcgan_state(seed=1), other)
    arguments = ("--generator", f"dcgan:{other}", "--samples", 1)
    line = refused(run_folder, "render", "grid", run_folder, *arguments)
    assert "found in generator dcgan:small" in line


def test_a_directions_file_that_is_damaged(run_folder):
    path = run_folder / "directions.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    assert "cut short" in refused(run_folder, "render", "grid", run_folder)
    Directions(torch.eye(3), "random").save(path)
    assert "3 dimensions" in refused(run_folder, "render", "grid", run_folder)


def test_a_file_size_limit_while_filming(run_folder, tmp_path):
    """`ulimit -f`, in blocks of 1024 bytes, stops the encoder in the middle: one line, exit code 2, no video."""
    before = snapshot(run_folder)
    video = f"{sys.executable} -m direction_finder.commands render video {run_folder} --seconds 3"
    result = subprocess.run(["bash", "-c", f"ulimit -f 16; {video}"], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    line = result.stderr.splitlines()[-1]
    assert "Error: " in line
    assert "video.mp4" in line
    assert snapshot(run_folder) == before


def test_a_refused_resume_changes_nothing(dcgan_file, tmp_path):
    folder = tmp_path / "run"
    base = ("learn", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, *LEARN)
    assert call(*base, "--schedule", "linear", "--out", folder).exit_code == 0
    before = snapshot(tmp_path)
    result = call("learn", "--resume", folder, "--steps", 9)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "laid out for 1 steps" in result.stderr.splitlines()[-1]
    assert snapshot(tmp_path) == before
    assert call("learn", "--resume", folder).exit_code == 0


def recipe_with(run_folder: Path, **change: object) -> Path:
    """A recipe of the run in which something is replaced."""
    assert call("edit", run_folder, "--step", "move:0=1", "--samples", 2).exit_code == 0
    path = run_folder / "edit.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": [0, 99]}, "classes [0, 99] do not fit"),
        ({"steps": [{"edit": "move", "direction": 9, "value": 1.0}]}, "no direction 9: there are 6"),
        ({"steps": [{"edit": "move", "direction": -1, "value": 1.0}]}, "direction is -1: expected at least 0"),
        ({"samples": 10**12}, "samples is 1000000000000: expected at most 1000000"),
        ({"seed": None}, "expected int, got null, at seed"),
    ],
)
def test_a_recipe_that_was_changed(change, words, run_folder):
    assert words in refused(run_folder, "edit", run_folder, "--recipe", recipe_with(run_folder, **change))


def test_a_device_is_checked_even_if_it_is_not_used(run_folder, tmp_path):
    assert call("export", run_folder, "--out", tmp_path / "m.npy").exit_code == 0
    line = refused(tmp_path, "import", tmp_path / "m.npy", "--out", tmp_path / "run", "--device", "meta")
    assert "device 'meta' cannot be used here" in line


@pytest.mark.parametrize("value", ["inf", "nan", "1e999"])
def test_a_limit_of_memory_is_a_number(value, dcgan_file, tmp_path):
    words = ("learn", "--generator", f"dcgan:{dcgan_file}", "--memory-limit", value, "--out", tmp_path / "run")
    assert "'--memory-limit'" in refused(tmp_path, *words)
