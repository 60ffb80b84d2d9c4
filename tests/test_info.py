import json

import pytest
import torch

from tests.conftest import NUM_CLASSES, call, dcgan_state


def info(path) -> dict:
    result = call("info", path, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_run_and_everything_in_it(run_folder):
    call("render", "grid", run_folder, "--samples", 1, "--directions", 0)
    call("render", "video", run_folder, "--samples", 1, "--directions", 0, "--seconds", 0.2)
    call("edit", run_folder, "--step", "align:1=0")
    run = info(run_folder)
    assert (run["kind"], run["method"], run["directions"], run["problems"]) == ("run", "hessian", 6, [])
    assert run["settings"]["steps"] == run["step"] == 2
    record = info(run_folder / "directions.safetensors")
    assert (record["kind"], record["class_name"], record["config"]["seed"]) == ("directions", "class 1", 0)
    assert info(run_folder / "state.safetensors")["step"] == 2
    image = info(run_folder / "grid.png")
    assert (image["kind"], image["made"]["directions"]) == ("image", [0])
    video = info(run_folder / "video.mp4")
    assert (video["kind"], video["frames"], video["made"]["samples"]) == ("video", 6, 1)
    assert info(run_folder / "edit.json")["steps"] == ["align:1=0.0"]
    assert info(run_folder / "log.jsonl")["last"][0]["step"] == 2
    assert info(run_folder / "config.json")["holds"]["method"] == "hessian"
    for path in run_folder.iterdir():
        assert info(path)["problems"] == [], path


def test_generators(dcgan_file, biggan_folder, tmp_path):
    weights = info(dcgan_file)
    assert (weights["kind"], weights["dim"], weights["resolution"]) == ("dcgan weights", 6 + NUM_CLASSES, 16)
    assert info(biggan_folder)["num_layers"] == 6
    torch.save({"something": torch.ones(3)}, tmp_path / "x.pth")
    assert info(tmp_path / "x.pth")["kind"] == "weights of an unknown architecture"


def test_what_is_wrong_is_said(run_folder, tmp_path):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes((run_folder / "directions.safetensors").read_bytes()[:-50])
    (tmp_path / "page.pth").write_text("<html>")
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "text.json").write_text("{")
    torch.save({**dcgan_state(), "main.0.weight": torch.full((9, 16, 4, 4), torch.inf)}, tmp_path / "inf.pth")
    for name, words in {
        "cut.safetensors": "cut short",
        "page.pth": "web page",
        "text.png": "not a readable image",
        "text.mp4": "not a readable video",
        "text.json": "not an edit recipe",
        "inf.pth": "NaN or infinite",
        ".": "neither a run",
    }.items():
        (problem,) = info(tmp_path / name)["problems"]
        assert words in problem
    (run_folder / "directions.safetensors").unlink()
    assert "no directions yet" in info(run_folder)["problems"][0]


def test_plain_output_and_missing_paths(run_folder, tmp_path):
    text = call("info", run_folder).stdout
    assert "problems:          none found" in text
    missing = call("info", tmp_path / "nothing")
    assert missing.exit_code == 2
    assert "no such file" in missing.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("retriever",), " 207  golden retriever"),
        (("BLUE", "--generator", "eyes"), "   1  blue"),
        (("", "--generator", "eyes"), "   7  red"),
    ],
)
def test_classes(arguments, line):
    result = call("classes", *arguments)
    assert result.exit_code == 0
    assert line in result.stdout.splitlines()


def test_no_such_class():
    result = call("classes", "xyzzy")
    assert result.exit_code == 2
    assert "xyzzy" in result.stderr
