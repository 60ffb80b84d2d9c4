"""Every kind of file and folder that is told by reading it, and one line for each that is broken. See test_info.py."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import direction_finder as df
from direction_finder.files import METADATA_KEY, write_json
from direction_finder.reports import file_facts
from direction_finder.reports.describing import describe
from direction_finder.scenes import make
from tests.conftest import dcgan_state

BASIC = {"path", "kind", "bytes", "sha256", "problems"}


def told(path: Path) -> dict:
    """What is known of a file in order, beside what is known of all files."""
    facts = describe(path)
    assert facts["problems"] == [] and facts["bytes"] == path.stat().st_size and len(facts["sha256"]) == 64
    return {name: value for name, value in facts.items() if name not in BASIC - {"kind"}}


def problem(path: Path) -> str:
    facts = describe(path)
    (line,) = facts["problems"]
    assert facts["kind"] == "unreadable" and "\n" not in line and line.startswith(str(path))
    return line


@pytest.mark.parametrize(("name", "kind"), [("a.svg", "figure"), ("a.HTML", "page"), ("measures.md", "table")])
def test_files_that_are_told_by_their_name(name, kind, tmp_path):
    (tmp_path / name).write_text("x")
    assert told(tmp_path / name) == {"kind": kind}


def test_large_files_are_not_hashed(tmp_path, monkeypatch):
    monkeypatch.setattr(file_facts, "HASHED", 1000)
    for size, expected in ((1000, 64), (1001, len("not computed above 1,000 bytes"))):
        (tmp_path / "a.svg").write_bytes(b"x" * size)
        assert len(describe(tmp_path / "a.svg")["sha256"]) == expected


def test_samples(tmp_path):
    df.Samples(torch.zeros(2, 3, 4), torch.tensor([1, 0])).save(tmp_path / "a.safetensors")
    assert told(tmp_path / "a.safetensors") == {"kind": "samples", "shape": [2, 3, 4], "classes": [1, 0], "space": "z"}
    df.Samples(torch.zeros(2, 3, 4), space="w").save(tmp_path / "b.safetensors")
    assert told(tmp_path / "b.safetensors") == {"kind": "samples", "shape": [2, 3, 4], "classes": None, "space": "w"}


def test_a_matrix_of_directions_says_what_takes_it(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.eye(3, 5, dtype=np.float32))
    assert told(path) == {"kind": "matrix of directions", "shape": [3, 5], "use": f"direction-finder import {path}"}


def test_images_of_ours_and_of_others(tmp_path):
    Image.new("RGB", (4, 3)).save(tmp_path / "a.png")
    assert told(tmp_path / "a.png") == {"kind": "image", "size": [4, 3], "made": None}


def test_json_files_by_their_names(tmp_path):
    report = {"short_list": [1], "with": [], "samples": 2, "hessians": 3, "order": [1, 0], "directions_sha256": "a"}
    effects = {"effects": [], "strongest": [], "names": [], "shares": [], "factors": []}
    for name, content, expected in [
        ("rank.json", report, {"kind": "ranking", "short_list": [1], "with": [], "samples": 2, "hessians": 3}),
        ("fid.json", {"value": 1, "features": "x"}, {"kind": "measures", "of": ["features", "value"]}),
        ("measures.json", {"b": {}, "a": {}}, {"kind": "measures", "of": ["a", "b"]}),
        ("factors.json", {"class": "cube", "samples": 2, "scores": {}, "more": 1, **effects},
         {"kind": "effects on factors", "class": "cube", "samples": 2, "names": [], "scores": {}}),
        ("config.json", {"a": 1}, {"kind": "configuration", "holds": {"a": 1}}),
    ]:  # fmt: skip
        write_json(tmp_path / name, content)
        assert told(tmp_path / name) == expected


def test_logs(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n')
    assert told(path) == {"kind": "log of a run", "lines": 2, "first": [{"step": 1}], "last": [{"step": 2}]}
    path.write_text("")
    assert told(path)["lines"] == 0
    path.write_text('{"step": 1}\n{"st')
    assert told(path)["last"] == [{"step": 1}]
    path.write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    assert "log.jsonl: line 2: not JSON" in problem(path)


def test_a_state(tmp_path):
    path = tmp_path / "state.safetensors"
    save_file({"step": torch.tensor(4)}, path)
    assert told(path) == {"kind": "state of a run", "step": 4}
    save_file({"other": torch.tensor(4)}, path)
    assert "it has no step" in problem(path)


def test_weights_of_several_kinds(tmp_path):
    save_file({name: each.contiguous() for name, each in dcgan_state().items()}, tmp_path / "dcgan.safetensors")
    facts = told(tmp_path / "dcgan.safetensors")
    assert (facts["kind"], facts["dim"], facts["tensors"]) == ("dcgan weights", 9, len(dcgan_state()))
    torch.save({"b": torch.ones(3, 4, 5), "a": torch.ones(2)}, tmp_path / "odd.pt")
    facts = told(tmp_path / "odd.pt")
    assert facts == {"kind": "weights of an unknown architecture", "tensors": 2, "parameters": 62, "first": ["a", "b"]}


def test_data_sets_and_what_is_damaged_in_them(tmp_path):
    data = make("shapes", tmp_path / "set", num=3, resolution=16, seed=0, workers=1)
    facts = describe(data.folder)
    assert (facts["kind"], facts["num"], facts["problems"]) == ("data set, shapes", 3, [])
    assert facts["factors"] == ["class", "x", "y", "size", "hue", "light"]
    (data.folder / "images" / "000001.png").unlink()
    (data.folder / "images" / "000002.png").write_bytes(b"x")
    assert describe(data.folder)["problems"] == [f"images/00000{n}.png is missing or changed" for n in (1, 2)]


def test_a_training_says_how_it_goes_on(tmp_path):
    data = {"kind": "images", "folder": "a", "resolution": 16, "num": 3, "sha256": "0"}
    config = {"data": data, "model": "progan", "settings": {}, "threads": 1, "device": "cpu", "direction_finder": "0",
              "start": None, "finished": None}  # fmt: skip
    write_json(tmp_path / "config.json", config)
    facts = describe(tmp_path)
    assert (facts["kind"], facts["step"]) == ("training run", 0)
    assert facts["problems"] == [f"stopped at step 0: train progan --resume {tmp_path} resumes it"]
    save_file({"step": torch.tensor(9)}, tmp_path / "state.safetensors")
    write_json(tmp_path / "config.json", {**config, "start": {"file": "x", "sha256": "0"}})
    assert describe(tmp_path)["problems"] == [f"stopped at step 9: finetune --resume {tmp_path} resumes it"]
    write_json(tmp_path / "config.json", {**config, "finished": "now"})
    missing = f"missing: train progan --resume {tmp_path} writes them again"
    assert describe(tmp_path)["problems"] == [f"generator.safetensors, snapshot.safetensors {missing}"]
    for name in ("generator", "snapshot"):
        (tmp_path / f"{name}.safetensors").touch()
    assert describe(tmp_path)["problems"] == []


@pytest.mark.parametrize(
    "name", ["rank.json", "factors.json", "share.json", "measures.json", "config.json", "edit.json"]
)
@pytest.mark.parametrize("content", ["{", "", "\x00"])
def test_what_is_no_json_is_one_line(name, content, tmp_path):
    (tmp_path / name).write_text(content)
    assert "not JSON" in problem(tmp_path / name) or "not an edit recipe" in problem(tmp_path / name)


@pytest.mark.parametrize("name", ["rank.json", "factors.json"])
@pytest.mark.parametrize("content", [{}, [], 3, None])
def test_reports_that_hold_something_else_are_one_line(name, content, tmp_path):
    (tmp_path / name).write_text(json.dumps(content))
    assert re.search(r"expected object|missing required field", problem(tmp_path / name))


@pytest.mark.parametrize("content", [3, None])
def test_measures_that_hold_something_else_are_one_line(content, tmp_path):
    (tmp_path / "share.json").write_text(json.dumps(content))
    assert "expected object" in problem(tmp_path / "share.json")


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ("{", "its metadata: not JSON"),
        ("[]", "not format 1"),
        ("{}", "not format 1"),
        ('{"kind": "samples"}', "no latents"),
    ],
)
def test_safetensors_with_odd_headers_are_one_line(metadata, words, tmp_path):
    save_file({"vectors": torch.eye(2)}, tmp_path / "x.safetensors", metadata={METADATA_KEY: metadata})
    assert words in problem(tmp_path / "x.safetensors")


@pytest.mark.parametrize("name", ["x.safetensors", "x.png", "x.mp4", "x.gif", "x.pth", "x.npy", "x.npz", "x", "x.bin"])
@pytest.mark.parametrize("content", [b"", b"no such file at all"])
def test_files_that_are_nothing_are_one_line(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert problem(tmp_path / name)


def test_an_empty_folder_is_one_line(tmp_path):
    assert "neither a run (config.json), nor a data set" in problem(tmp_path)


def test_with_check_the_tensors_of_a_run_are_read_too(run_folder):
    checked = describe(run_folder, check=True)
    assert checked.pop("probe") == {"deviation": 0.0} and checked == describe(run_folder)
    path = run_folder / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    assert "state.safetensors: damaged" in problem_of(run_folder, check=True)


@pytest.mark.parametrize("missing", ["spec", "truncation", "weights_sha256"])
def test_a_run_whose_generator_is_not_described_is_one_line(missing, run_folder):
    config = json.loads((run_folder / "config.json").read_text())
    del config["generator"][missing]
    write_json(run_folder / "config.json", {name: value for name, value in config.items() if name != "started"})
    assert missing in describe(run_folder).get("probe", "") or missing in problem_of(run_folder)


def problem_of(folder: Path, **given) -> str:
    (line,) = describe(folder, **given)["problems"]
    return line
