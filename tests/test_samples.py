"""Samples as a value, and their files."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY
from direction_finder.generators import load_generator
from direction_finder.samples import Samples
from tests.conftest import call


@pytest.fixture(scope="module")
def generator():
    return load_generator("shapes-64")


@pytest.fixture
def samples(generator):
    return generator.samples(4, seed=3, class_name="sphere")


def test_they_are_drawn_by_a_generator(generator, samples):
    assert samples.latents.shape == (4, generator.num_layers, generator.dim) and samples.classes.tolist() == [1] * 4
    assert generator.samples(2, seed=3, class_name=1) == samples[:2]
    assert generator.samples(4, seed=4, class_name=1) != samples
    assert len(set(generator.samples(50).classes.tolist())) == 3  # random classes
    with pytest.raises(InputError, match="nothing"):
        generator.samples(2, class_name="nothing")


def test_they_are_indexed(samples):
    assert samples[1].latents.shape == (1, *samples.latents.shape[1:]) and samples[-1] == samples[3]
    assert [len(each) for each in samples] == [1] * 4 and samples[[2, 0]][0] == samples[2]
    assert repr(samples[:2]) == "<Samples: 2 of z, layers=10, dim=24, classes [1]>"
    with pytest.raises(InputError, match="numbered 0 to 3"):
        samples[4]


@pytest.mark.parametrize("ending", ["safetensors", "pt", "npy"])
def test_every_file_there_and_back(samples, tmp_path, ending):
    samples.save(tmp_path / f"kept.{ending}")
    again = Samples.load(tmp_path / f"kept.{ending}")
    if ending == "npy":
        assert torch.equal(again.latents, samples.latents) and again.classes is None
    else:
        assert again == samples and again.sha256 == samples.sha256
    assert call("info", tmp_path / f"kept.{ending}").exit_code == 0


def test_other_tools_latents_are_read(generator, tmp_path):
    np.save(tmp_path / "one.npy", np.ones(24))
    assert Samples.load(tmp_path / "one.npy").latents.shape == (1, 1, 24)
    torch.save({"w": torch.ones(3, 2, 8)}, tmp_path / "w.pt")
    kept = Samples.load(tmp_path / "w.pt")
    assert kept.space == "w" and kept.latents.shape == (3, 2, 8)
    with pytest.raises(InputError, match=r"takes z \(n, 10, 24\)"):
        generator.accept(kept)
    unsaid = Samples.load(tmp_path / "one.npy")
    with pytest.raises(InputError, match="no class"):
        generator.accept(unsaid)
    assert generator.accept(unsaid, "cylinder").classes.tolist() == [2]


@pytest.mark.parametrize(("content", "message"), [
    ({"something": torch.ones(2)}, "no latents"),
    (torch.ones(2, 2, 2, 2), "expected floats"),
    (torch.tensor([[float("nan")]]), "NaN"),
    ({"z": torch.ones(2, 4), "classes": torch.ones(3).long()}, "expected 2 whole numbers"),
    ([1, 2], "no latents"),
    (None, "no latents"),
    ({"latents": [1.0]}, "no latents"),
    (torch.ones(2, 2, dtype=torch.complex64), "no latents"),
    ({"z": torch.ones(2, 4), "classes": torch.tensor([0, -1])}, "-1 is no class"),
    ({"z": torch.ones(2, 4), "classes": [0, 1]}, "expected whole numbers as classes"),
    ({"z": torch.ones(2, 4), "space": 5}, "a name as space"),
    (torch.full((2, 2), 1e300, dtype=torch.double), "NaN or infinite"),
])  # fmt: skip
def test_what_is_no_samples_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "a.pt"
    torch.save(content, path)
    with pytest.raises(InputError, match=message) as error:
        Samples.load(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_broken_and_missing_files_are_refused_in_one_line(tmp_path):
    for name in ("a.safetensors", "a.npy", "a.pt"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(InputError, match=r"not a (readable|file of torch)"):
            Samples.load(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        Samples.load(tmp_path / "b.npy")
    with pytest.raises(InputError, match="ending in"):
        Samples(torch.ones(1, 2)).save(tmp_path / "a.txt")


def test_commands_take_a_file_wherever_samples_are_drawn(run_folder, tmp_path):
    from direction_finder.runs import open_run

    generator = open_run(run_folder).generator()
    samples = generator.samples(3, seed=0, class_name=1)
    samples.save(tmp_path / "kept.safetensors")
    for verb in (("render", "grid"), ("align", "--direction", 1), ("edit", "--step", "move:1=2")):
        words, more = (verb, ()) if verb[0] == "render" else (verb[:1], verb[1:])
        drawn, kept = tmp_path / "drawn.png", tmp_path / "kept.png"
        for out, given in ((drawn, 3), (kept, tmp_path / "kept.safetensors")):
            result = call(*words, run_folder, *more, "--samples", given, "--out", out)
            assert result.exit_code == 0, result.stderr
        assert _pixels(drawn) == _pixels(kept)
    ranked = call("rank", run_folder, "--samples", tmp_path / "kept.safetensors", "--hessians", 0, "--ranges", "none")
    assert ranked.exit_code == 0, ranked.stderr
    measured = call("measure", run_folder, "--metric", "activeness", "--samples", tmp_path / "kept.safetensors")
    assert measured.exit_code == 0 and "3 latents" in measured.stdout
    refused = call("render", "grid", run_folder, "--samples", "nowhere.npy")
    assert refused.exit_code == 2 and "neither a number nor a file" in refused.stderr


def _pixels(path):
    from PIL import Image

    with Image.open(path) as image:
        return image.tobytes()


@pytest.mark.parametrize("text", ["{", "[" * 50_000, "[]", '{"space": 5}', '{"space": ["z"]}'])
def test_metadata_of_another_kind_is_refused_in_one_line(text, tmp_path):
    save_file({"latents": torch.ones(2, 3)}, tmp_path / "a.safetensors", metadata={METADATA_KEY: text})
    with pytest.raises(InputError, match=r"a\.safetensors: its metadata: ") as error:
        Samples.load(tmp_path / "a.safetensors")
    assert str(error.value).isprintable()
