"""What a run is, from the headers of its files: also of one that is not done, or whose files are damaged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY, write_json
from direction_finder.reports.run_headers import from_headers


def changed(folder: Path, **changes) -> None:
    path = folder / "config.json"
    write_json(path, {**json.loads(path.read_text()), **changes})


def test_a_run_that_is_done(run_folder):
    problems: list[str] = []
    facts = from_headers(run_folder, problems)
    assert problems == []
    assert (facts["kind"], facts["step"], facts["directions"], facts["dim"]) == ("run", 2, 6, 6)
    assert facts["class"] == "class 1" and facts["orthonormal"] is True and facts["finished"]
    assert set(facts["made_with"]) == {"direction_finder", "torch", "device", "threads"}


def test_a_run_that_is_not_done_says_how_it_goes_on(run_folder):
    changed(run_folder, finished=None)
    problems: list[str] = []
    from_headers(run_folder, problems)
    assert problems == [f"stopped at step 2: learn --resume {run_folder} resumes it"]
    (run_folder / "directions.safetensors").unlink()
    problems = []
    facts = from_headers(run_folder, problems)
    assert problems == [f"no directions yet: learn --resume {run_folder} resumes it"] and "dim" not in facts


def test_a_run_before_its_first_state(run_folder):
    changed(run_folder, finished=None)
    (run_folder / "state.safetensors").unlink()
    problems: list[str] = []
    assert "step" not in from_headers(run_folder, problems)
    assert problems[0].startswith("stopped at step 0: ")


def test_directions_of_other_weights_are_noticed(run_folder):
    generator = json.loads((run_folder / "config.json").read_text())["generator"]
    changed(run_folder, generator={**generator, "weights_sha256": "0" * 64})
    problems: list[str] = []
    from_headers(run_folder, problems)
    assert problems == ["the directions were found in other weights than those in config.json"]


@pytest.mark.parametrize(
    "content", [None, "[]", "{}", '{"method": "x", "class": null, "generator": {}, "settings": {}}']
)
def test_everything_else_is_none(content, tmp_path):
    if content:
        (tmp_path / "config.json").write_text(content)
    assert from_headers(tmp_path, []) is None


@pytest.mark.parametrize("generator", [None, "shapes-64", {}, []])
def test_a_configuration_without_a_generator_is_one_line(generator, run_folder):
    changed(run_folder, generator=generator)
    with pytest.raises(InputError, match=r"config.json: damaged: .*generator$"):
        from_headers(run_folder, [])


GOOD = {"vectors": torch.eye(2)}


@pytest.mark.parametrize(
    ("tensors", "metadata"),
    [
        (GOOD, None),
        (GOOD, "{"),
        (GOOD, "[]"),
        (GOOD, "{}"),
        (GOOD, '{"orthonormal": true}'),
        ({"vectors": torch.ones(3)}, '{"orthonormal": true, "weights_sha256": null}'),
        ({"other": torch.ones(3)}, '{"orthonormal": true, "weights_sha256": null}'),
    ],
)
def test_damaged_directions_are_one_line(tensors, metadata, run_folder):
    path = run_folder / "directions.safetensors"
    save_file(tensors, path, metadata=None if metadata is None else {METADATA_KEY: metadata})
    with pytest.raises(InputError, match=r"directions.safetensors: (its metadata|not a directions file)") as caught:
        from_headers(run_folder, [])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"cut", {"step": torch.ones(2)}, {"other": torch.ones(1)}])
def test_a_damaged_state_is_one_line(content, run_folder):
    path = run_folder / "state.safetensors"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        save_file(content, path)
    with pytest.raises(InputError, match=r"state.safetensors: damaged \(.*\); delete it to start the run again$"):
        from_headers(run_folder, [])


def test_torch_is_not_needed(run_folder):
    code = (
        "import sys; from pathlib import Path; from direction_finder.reports.run_headers import from_headers; "
        f"assert from_headers(Path({str(run_folder)!r}), [])['dim'] == 6; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
