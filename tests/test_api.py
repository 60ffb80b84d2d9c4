"""What every verb does, done from Python: the same bytes or numbers as the command gives."""

import inspect
import json
import pydoc
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from PIL import Image

import direction_finder as df
from tests.conftest import NUM_CLASSES, call

TINY = {"z_dim": 5, "width": 4, "max_width": 8, "batch_size": 4, "fade_kimg": 0.02, "stable_kimg": 0.02, "kimg": 0.16}
QUIET = df.runs.trainers.Upkeep(preview_every=0, score_every=0)


def run(*arguments: object) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def pixels(image: Path | Image.Image) -> np.ndarray:
    if isinstance(image, Path):
        with Image.open(image) as opened:
            return np.asarray(opened)
    return np.asarray(image)


def options(settings: dict) -> list[str]:
    return [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture(scope="module")
def generator(dcgan_file):
    return df.load_generator(f"dcgan:{dcgan_file}", num_classes=NUM_CLASSES)


@pytest.fixture
def directions(run_folder):
    return df.open_run(run_folder).directions


@pytest.fixture
def samples(generator):
    return generator.samples(2, seed=0, class_name=1)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(12):
        Image.effect_noise((16, 16), 20 * number).convert("RGB").save(folder / f"{number:02d}.png")
    return folder


LEARNED = (
    "hessian", "jacobian", "hessian-direct", "mean-field", "orojar", "local-basis", "coordinates", "random"
)  # fmt: skip


@pytest.mark.parametrize("method", LEARNED)
def test_learn(generator, dcgan_file, tmp_path, method):
    given = {"max_batch": 8, "seed": 3, **{
        "hessian": {"steps": 2, "batch_size": 2}, "orojar": {"steps": 2, "batch_size": 2}, "jacobian": {"points": 4},
        "hessian-direct": {"points": 4}, "mean-field": {"points": 4},
    }.get(method, {})}  # fmt: skip
    run("learn", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--class", 1, "--method", method,
        *options(given), "--out", tmp_path / "run")  # fmt: skip
    df.find(generator, method, class_name=1, **given).save(tmp_path / "found.safetensors")
    file = (tmp_path / "run" / "directions.safetensors").read_bytes()
    assert (tmp_path / "found.safetensors").read_bytes() == file
    kept = df.learn(generator, method, class_name=1, out=tmp_path / "kept", **given)
    assert kept.directions_path.read_bytes() == file and kept.finished


def test_learn_goes_on(dcgan_file, tmp_path):
    given = {"method": "hessian", "class_name": 1, "batch_size": 2, "seed": 1, "share_points": 0}
    generator = df.load_generator(f"dcgan:{dcgan_file}", num_classes=NUM_CLASSES)
    whole = df.find(generator, steps=4, **given)
    stopped = df.learn(generator, out=tmp_path / "run", steps=4, progress=lambda step: step.stop(), **given)
    assert not stopped.finished and len(stopped.steps()) == 1
    resumed = df.open_run(tmp_path / "run").resume()
    assert resumed.finished and torch.equal(resumed.directions.vectors, whole.vectors)
    longer = df.open_run(tmp_path / "run").resume(steps=5)
    assert longer.finished and longer.config["settings"]["steps"] == 5


def test_rank_and_usable_range(run_folder, generator, directions):
    run("rank", run_folder, "--samples", 3, "--hessians", 3, "--ranges", "all")
    ranking = df.rank(generator, directions, samples=3, hessians=3, ranges="all")
    assert json.loads((run_folder / "rank.json").read_text()) == json.loads(json.dumps(ranking.to_dict()))
    ranged = df.Directions.load(run_folder)
    assert ranking.directions == ranged and df.open_run(run_folder).short_list == ranking.short_list
    first = ranking.order[0]
    assert df.usable_range(generator, directions[first], class_name=1) == ranged[first].usable_range
    assert str(ranking).splitlines()[0].split()[0] == "activeness" and len(ranking.table) == len(ranking.short_list)
    assert ranking.plot("activeness").patches


def test_name(run_folder, directions):
    run("name", run_folder, 2, "zoom")
    named = directions.named(2, "zoom")
    assert named == df.Directions.load(run_folder) and named["zoom"] == named[2]
    with pytest.raises(df.InputError, match="has it already"):
        named.named(1, "zoom")


@pytest.mark.parametrize("given", [
    {}, {"layout": "overview", "extent": 2}, {"absolute": True, "steps": 4}, {"even": True},
])  # fmt: skip
def test_render_grid(run_folder, generator, directions, samples, given, tmp_path):
    flags = options({name: value for name, value in given.items() if value is not True})
    flags += [f"--{name}" for name, value in given.items() if value is True]
    run("render", "grid", run_folder, "--directions", "4,1", "--samples", 2, *flags, "--out", tmp_path / "a.png")
    drawn = df.grid(generator, directions[[4, 1]], samples, **given)
    assert np.array_equal(pixels(drawn), pixels(tmp_path / "a.png"))


def test_render_video(run_folder, generator, directions, samples, tmp_path):
    few = ("--directions", "0-2", "--rows", 2, "--samples", 2, "--seconds", 0.4, "--fps", 10)
    run("render", "video", run_folder, *few, "--out", tmp_path / "a.mp4")
    video = df.video(generator, directions[:3], samples, seconds=0.4, fps=10, rows=2)
    assert video.save(tmp_path / "b.mp4") == len(video) == 8
    assert np.array_equal(iio.imread(tmp_path / "a.mp4"), iio.imread(tmp_path / "b.mp4"))
    assert next(iter(video)).shape == iio.imread(tmp_path / "a.mp4").shape[1:] and "<video" in video._repr_html_()


def test_align(run_folder, generator, directions, samples):
    run("align", run_folder, "--direction", 2, "--to", -1, "--to", "75%", "--samples", 2)
    many = generator.samples(1000)
    quarter = df.percentile(many, directions[2], 75)
    assert (df.coordinate(many, directions[2]) < quarter).float().mean() == pytest.approx(0.75, abs=0.002)
    drawn = df.align_sheet(generator, directions[2], samples, [-1, quarter])
    assert np.array_equal(pixels(drawn), pixels(run_folder / "align-2.png"))
    aligned = df.align(samples, directions[2], quarter)
    assert torch.allclose(df.coordinate(aligned, directions[2]), torch.tensor(quarter), atol=1e-5)


def test_edit(run_folder, generator, directions, samples, tmp_path):
    run("edit", run_folder, "--step", "align:2=0", "--step", "move:0=2", "--samples", 2)
    edited = df.move(df.align(samples, directions[2], 0.0), directions[0], 2.0)
    rows = {"original": samples, "edited": edited}
    title = "align 2 +0, move 0 +2"
    sheet = df.compare(generator, rows, title=title)
    assert np.array_equal(pixels(sheet), pixels(run_folder / "edit.png"))
    recipe = df.Recipe.load(run_folder / "edit.json")
    assert recipe.apply(samples, directions) == edited and "classes" in vars(recipe)
    again = ("edit", run_folder, "--recipe", run_folder / "edit.json", "--out", tmp_path / "again.png")
    run(*again)
    assert (tmp_path / "again.json").read_bytes() == (run_folder / "edit.json").read_bytes()
    run(*again, "--samples", 3, "--seed", 5, "--class", 2)
    other = generator.samples(3, seed=5, class_name=2)
    expected = df.compare(generator, {"original": other, "edited": recipe.apply(other, directions)}, title=title)
    assert np.array_equal(pixels(tmp_path / "again.png"), pixels(expected))
    assert df.Recipe.load(tmp_path / "again.json").classes == (2, 2, 2)


@pytest.mark.parametrize("metric", ["activeness", "diagonality", "share", "paths", "ppl", "fid", "kid"])
def test_measure(run_folder, generator, directions, images, metric):
    real = ["--real", images] if metric in ("fid", "kid") else []
    printed = run("measure", run_folder, "--metric", metric, "--samples", 4, *real)
    found = df.measure(generator, directions, metric, samples=4, real=(real and images) or None)
    assert json.loads((run_folder / f"{metric}.json").read_text()) == found.to_dict()
    assert str(found) in printed and found.values and "<table>" in found._repr_html_()
    for quantity, value in zip(found.quantities, found.values.values(), strict=True):
        assert quantity.low is None or value >= quantity.low
        assert quantity.high is None or value <= quantity.high
    if metric in ("activeness", "diagonality", "paths"):
        assert found.plot().get_title(loc="left" if metric == "diagonality" else "center")


def test_metrics_of_factors(tmp_path):
    generator = df.load_generator("shapes-64")
    df.find(generator, "coordinates", class_name="cube", score_samples=0).save(tmp_path / "axes.safetensors")
    few = df.Directions.load(tmp_path / "axes.safetensors")[:3]
    few.save(tmp_path / "few.safetensors")
    run("measure", tmp_path / "few.safetensors", "--metric", "factors", "--metric", "alignment", "--samples", 8)
    for metric in ("factors", "alignment"):
        found = df.measure(generator, few, metric, samples=8)
        assert json.loads((tmp_path / f"{metric}.json").read_text()) == found.to_dict()
    with pytest.raises(df.InputError, match="is a number"):
        found.plot()


def test_train_and_finetune(images, tmp_path):
    quiet = ("--resolution", 16, "--preview-every", 0, "--score-every", 0, "--threads", 1)
    threads = torch.get_num_threads()
    run("train", "progan", images, *options(TINY), *quiet, "--out", tmp_path / "a")
    torch.set_num_threads(1)
    trained = df.train("progan", images, resolution=16, out=tmp_path / "b", upkeep=QUIET, **TINY)
    same = [(folder / "generator.safetensors").read_bytes() for folder in (tmp_path / "a", tmp_path / "b")]
    assert same[0] == same[1] and trained.finished
    tuned = {"penalty_weight": 0.1, "kimg": 0.05, "batch_size": 4}
    run("finetune", tmp_path / "a", images, *options(tuned), *quiet, "--out", tmp_path / "c")
    df.finetune(tmp_path / "b", images, resolution=16, out=tmp_path / "d", upkeep=QUIET, **tuned)
    same = [(folder / "generator.safetensors").read_bytes() for folder in (tmp_path / "c", tmp_path / "d")]
    assert same[0] == same[1]
    opened = df.open_run(tmp_path / "d")
    assert opened.generator().resolution == 16 and opened.plot("distance").lines
    assert opened.resume(kimg=0.06).config["settings"]["kimg"] == 0.06
    torch.set_num_threads(threads)


def test_scenes_and_factor_networks(tmp_path):
    run("scenes", "shapes", "--num", 100, "--resolution", 16, "--out", tmp_path / "a", "--workers", 1)
    data = df.scenes.make("shapes", tmp_path / "b", num=100, resolution=16, workers=1)
    assert (tmp_path / "a" / "checksums.sha256").read_bytes() == (tmp_path / "b" / "checksums.sha256").read_bytes()
    run("train", "factors", tmp_path / "a", tmp_path / "b", "--epochs", 1, "--out", tmp_path / "a.safetensors")
    df.metrics.factor_network.fit(data, data, epochs=1).save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_import_and_export(generator, dcgan_file, directions, run_folder, tmp_path):
    run("export", run_folder, "--out", tmp_path / "a.npy")
    df.export_directions(directions, tmp_path / "b.npy")
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    run("import", tmp_path / "a.npy", "--out", tmp_path / "imported")
    found = df.import_directions(tmp_path / "a.npy")
    found.save(tmp_path / "found.safetensors")
    kept = (tmp_path / "imported" / "directions.safetensors").read_bytes()
    assert (tmp_path / "found.safetensors").read_bytes() == kept
    assert len(df.import_directions(tmp_path / "a.npy", generator, class_name=2)) == len(directions)


def test_page_info_and_classes(run_folder):
    first = Path(run("page", run_folder).strip()).read_bytes()
    assert df.write_page(run_folder).read_bytes() == first
    assert json.loads(run("info", run_folder, "--json")) == df.describe(run_folder)
    assert df.describe(run_folder)["problems"] == []
    names = df.generators.class_names("biggan-deep-128")
    printed = run("classes", "retriever")
    assert printed.splitlines() == [f"{index:4d}  {names[index]}" for index in df.search_classes(names, "retriever")]


def test_a_callable_finds_directions(generator):
    def halves(given, config):
        assert given is generator and config.class_index == 1
        rows = torch.zeros(2, given.dim)
        rows[0, :3], rows[1, 3:] = 2.0, 1.0
        return rows

    found = df.find(generator, halves, class_name=1)
    assert found.method == "halves" and found.orthonormal and found.class_index == 1
    assert torch.allclose(found.vectors[0, :3], torch.tensor(3**-0.5))
    again = df.find(generator, lambda given, config: found[:1])
    assert len(again) == 1 and "returned" in again.finding.reason
    with pytest.raises(df.InputError, match="expected rows"):
        df.find(generator, lambda given, config: torch.zeros(3))


def test_a_search_says_why_it_stopped_and_what_it_cost(generator):
    seen = []
    found = df.find(generator, "hessian", class_name=1, steps=2, batch_size=2, share_points=0, progress=seen.append)
    assert found.finding.reason == "all 2 steps" and [each.step for each in seen if each.phase == "learning"] == [1, 2]
    assert found.finding.gradients == 2 * 2 * 4 and found.finding.images > found.finding.gradients
    assert df.find(generator, "hessian", class_name=1, steps=2, batch_size=2, share_points=0) == found
    stopped = df.find(generator, "hessian-direct", points=8, progress=lambda step: step.stop())
    assert stopped.finding.reason == "stopped after 2 of 8 points"


def test_progress_bars_come_from_true(generator, capsys):
    df.find(generator, "coordinates", progress=True)
    assert capsys.readouterr().out == ""


def test_help_lists_every_public_function_with_a_line():
    text = pydoc.render_doc(df, renderer=pydoc.plaintext)
    functions = [name for name in df.__all__ if inspect.isfunction(getattr(df, name))]
    assert len(functions) > 20
    for name in functions:
        assert name in df.__doc__, name
        assert getattr(df, name).__doc__.strip(), name
        assert f"{name}(" in text, name


ONE_LINERS = ("hessian_penalty", "spread", "walk", "to_uint8", "write_sheet", "write_video", "search_classes")


def test_functions_have_examples_and_types():
    for name in df.__all__:
        function = getattr(df, name)
        if not inspect.isfunction(function) or name in ONE_LINERS:
            continue
        assert ">>>" in function.__doc__, name
        signature = inspect.signature(function)
        assert signature.return_annotation is not inspect.Signature.empty, name
        assert all(each.annotation is not inspect.Parameter.empty for each in signature.parameters.values()), name


def test_import_is_quick_and_leaves_torch_alone():
    code = "import time; t = time.perf_counter(); import direction_finder, sys; print(time.perf_counter() - t); "
    code += "assert 'torch' not in sys.modules and 'numpy' not in sys.modules; dir(direction_finder)"
    seconds = min(
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
        for _ in range(3)
    )
    assert seconds < 0.1


def test_a_run_is_resumed_in_place(generator, tmp_path):
    run_ = df.learn(generator, "hessian", steps=2, batch_size=2, share_points=0, out=tmp_path / "run")
    assert isinstance(run_, df.OpenRun) and run_.resume(steps=3) is run_
    assert run_.config["settings"]["steps"] == 3 == run_.directions.config["steps"]
    with pytest.raises(df.InputError, match="give it to `find`"):
        df.learn(generator, lambda given, config: torch.eye(given.dim), out=tmp_path / "own")


def test_a_generator_renders_samples(generator, samples):
    assert torch.equal(generator(samples), generator(samples.latents, samples.classes))


def test_measurements_show_names(generator, directions):
    named = directions.named(0, "zoom")
    assert "direction 0 zoom" in str(df.measure(generator, named, "activeness", samples=3))


@pytest.mark.parametrize(("mistake", "words"), [
    (lambda g, d, s: df.grid(g, 2 * d[0] - d[1], s), "is not a direction"),
    (lambda g, d, s: df.grid(g, [0, 1], s), "0 is not a direction"),
    (lambda g, d, s: df.grid(g, d[:2], 3), r"samples are 3: expected Samples, e.g. generator.samples\(3\)"),
    (lambda g, d, s: df.measure(g, "activeness"), "directions are 'activeness': expected Directions"),
    (lambda g, d, s: df.measure(g, d, ["activeness"]), r"metric \['activeness'\]: expected one of"),
    (lambda g, d, s: df.move(s, d, 2.0), "choose one"),
    (lambda g, d, s: df.compare(g, [s, s]), "expected versions of samples by name"),
])  # fmt: skip
def test_usual_mistakes_are_told_in_one_line(generator, directions, samples, mistake, words):
    with pytest.raises(df.InputError, match=words):
        mistake(generator, directions, samples)
