import json
import os
import socket
from pathlib import Path

import pytest
import torch

from direction_finder.reports import file_facts
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


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "loop", "gone", "long name"])
def test_what_is_no_file_is_one_line_and_does_not_hang(kind, tmp_path):
    path = tmp_path / "x.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    elif kind in ("loop", "gone"):
        path.symlink_to("x.json" if kind == "loop" else "nowhere")
    target = {"device": "/dev/zero", "long name": "a" * 5000}.get(kind, path)
    result = call("info", target)
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1 and not result.stdout


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".png", ".mp4", ".npy", ".pt", ".safetensors", ".bin", ""])
def test_a_huge_file_is_neither_hashed_nor_read(suffix, tmp_path, monkeypatch):
    monkeypatch.setattr(file_facts, "file_sha256", lambda _: pytest.fail("hashed"))
    for name in {f"huge{suffix}", *(["rank.json", "config.json", "fid.json"] if suffix == ".json" else [])}:
        path = tmp_path / name
        path.touch()
        os.truncate(path, 1 << 40)  # holes, which take no space
        facts = info(path)
        assert facts["kind"] == "unreadable" and len(facts["problems"]) == 1, name


def test_names_and_contents_cannot_control_the_terminal(tmp_path):
    path = tmp_path / "new\nline\x1b[2J\u202e.json"
    path.write_text('{"a": "\x1b]0;title\x07"}')
    text = call("info", path).output
    assert "\x1b" not in text and "\u202e" not in text and "\\x1b" in text
    (tmp_path / "config.json").write_text('{"class": "\\u001b[2J"}')
    text = call("info", tmp_path / "config.json").output
    assert "\x1b" not in text and "\\u001b" in text


def test_a_folder_that_may_not_be_entered_is_one_line(run_folder, monkeypatch):
    def locked(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", locked)
    facts = info(run_folder)
    assert facts["problems"] == [f"{run_folder / 'config.json'}: Permission denied"]


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
