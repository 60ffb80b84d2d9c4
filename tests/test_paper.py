"""`make paper` matches directions and resumes; images of its random weights are neither flat nor saturated."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

import direction_finder as df
from benchmarks import paper
from tests.sane_original import sane_original

TINY = (8, 8, 8, 8, 8, 8)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny generator with the paper's z of 120 and its 1000 classes."""
    path = tmp_path_factory.mktemp("original") / "G_ema.pth"
    torch.save(sane_original(TINY, shared=8), path)
    return f"biggan:{path}"


@torch.no_grad()
def test_random_weights_give_images_that_are_neither_flat_nor_saturated(spec):
    generator = df.load_generator(spec)
    assert (generator.dim, generator.num_classes, generator.resolution) == (120, 1000, 128)
    samples = generator.samples(8, seed=1, class_name=207)
    images = generator(samples)
    assert images.isfinite().all() and images.std() > 0.2 and (images.abs() > 0.99).float().mean() < 0.1
    assert (images - generator(samples.with_classes([497] * 8))).abs().mean() > 0.01
    for chunk in range(6):
        moved = samples.latents.clone()
        moved[..., 20 * chunk : 20 * (chunk + 1)] *= -1
        assert (images - generator(samples.with_latents(moved))).abs().mean() > 0.01, chunk


def test_directions_are_matched_one_to_one_with_their_signs(rng):
    basis = torch.linalg.qr(torch.randn(7, 7, generator=rng))[0]
    order = torch.randperm(7, generator=rng)
    signs = torch.tensor([1.0, -1, -1, 1, -1, 1, 1])
    places, cosines = paper.match(basis, signs[:, None] * basis[order])
    assert [int(order[place]) for place in places] == list(range(7))
    assert torch.allclose(cosines, signs[places].double(), atol=1e-6)


def test_what_is_shown_is_named_and_turned_like_the_published_directions(spec, tmp_path):
    generator, matrix = df.load_generator(spec), df.import_directions(paper.GOLDENS)
    part = paper.Part(generator, paper.CLASSES[0], tmp_path, matrix, 1)
    part.found["ours"] = df.Directions(-matrix.vectors.flip(0), "test")
    chosen = part.chosen("ours")
    assert torch.equal(chosen.vectors, matrix.vectors[[5, 6, 8]])
    assert chosen.names == ("rotation", "zoom", "smoosh") and chosen.ranges == (3.0, 5.0, 3.0)
    assert chosen.numbers == (114, 113, 111)
    assert torch.equal(part.references["coordinates"][paper.AXIS].vector, torch.eye(120)[11])


def test_a_fall_has_the_error_of_its_windows():
    noise = [1.0, -1.0] * 100
    penalties = [240 + each for each in noise] + [200.0] * 17_800 + [180 + each for each in noise] * 10
    count, first, last, fell = paper.fall(penalties)
    assert (count, first) == ("20,000", "240 +- 0.071") and last.startswith("180 +- 0.022")
    assert fell == "25 +- 0.024"
    assert paper.fall([20.0, 15.0]) == ["2", "20", "15", "25"]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(paper.main, [str(argument) for argument in arguments])


def written(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}


@pytest.mark.slow
def test_it_resumes_and_reaches_its_end(spec, tmp_path, monkeypatch):
    sizes = ["--steps", 6, "--batch-size", 2, "--points", 2, "--samples", 1]
    arguments = ["--generator", spec, "--device", "cpu", "--out", tmp_path, *sizes]
    learn = df.learn

    def dies(generator: df.Generator, method: str, **settings: object) -> df.OpenRun:
        def on_step(progress: df.Progress) -> None:
            if method == "hessian" and progress.step == 4:
                raise KeyboardInterrupt

        return learn(generator, method, save_every=0, **{**settings, "progress": on_step})

    monkeypatch.setattr(df, "learn", dies)
    assert call(*arguments).exit_code == 1
    before, golden = written(tmp_path), tmp_path / "golden-retriever"
    assert len(before) == 8 and not df.open_run(golden / "loop").finished
    assert "| loop |" not in (tmp_path / "index.md").read_text()

    monkeypatch.setattr(df, "learn", learn)
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    after, text = written(tmp_path), (tmp_path / "index.md").read_text()
    assert before.items() <= after.items()
    assert set(after) == {tmp_path / name for name in named(text)} and len(after) == 14
    assert text.count("| 6 |") == 2 and text.count("(its ") == 12

    config = {"class_name": 207, "steps": 6, "batch_size": 2, "score_samples": 0}
    whole = df.find(df.load_generator(spec), "hessian", **config)
    assert torch.equal(df.open_run(golden / "loop").directions.vectors, whole.vectors)
    assert call(*arguments).exit_code == 0 and written(tmp_path) == after
    refused = call(*arguments, "--samples", 2)
    assert refused.exit_code == 1 and "begun with other settings (samples)" in refused.output


def named(text: str) -> list[str]:
    """The images of a page."""
    return [line.partition("](")[2].removesuffix(")") for line in text.splitlines() if line.startswith("![")]
