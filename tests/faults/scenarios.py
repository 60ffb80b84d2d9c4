"""Every verb that writes, on tiny data, with what it must leave behind and how it is repeated after a fault."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import direction_finder as df
from direction_finder import datasets
from direction_finder.datasets import Factor, image_name
from direction_finder.files import CONFIG, LOG, STATE, TEMPORARY
from direction_finder.locks import LOCK
from direction_finder.reports.measures.raw import raw_path
from direction_finder.runs.trainers import Upkeep
from tests.conftest import NUM_CLASSES, TINY_PROGAN, dcgan_state
from tests.faults.forks import Outcome, run

LEARN = ("learn", "--generator", "dcgan:small.pth", "--num-classes", NUM_CLASSES, "--class", 1, "--save-every", 0)
LOOP = (*LEARN, "--method", "hessian", "--steps", 3, "--batch-size", 4)
PROGAN = tuple(text for name, value in TINY_PROGAN.items() for text in (f"--{name.replace('_', '-')}", value))
OFTEN = ("--save-every", 0, "--preview-every", 2)
UNSCORED = (*OFTEN, "--score-every", 0)
SCORED = ("--score-every", 0.008, "--score-samples", 4)
TUNED = ("--kimg", 0.008, "--batch-size", 4, "--penalty-weight", 0.1)
BIGGAN = ("--z-dim", 4, "--channel-width", 4, "--discriminator-width", 4, "--batch-size", 4, "--steps", 2)
AUTOENCODER = ("--resolution", 8, "--width", 8, "--hidden", 32, "--batch-size", 16, "--steps", 16)
LEARNS = ("--learning-rate", 0.01, "--held-out", 0.3, "--save-every", 1000, "--preview-every", 8)
TIMED = {CONFIG, LOG, STATE, "curves.png", "curves.svg"}  # these hold times
SHOWS_TIMES = ("train", "finetune")


@dataclass(frozen=True)
class Scenario:
    """A command that writes. resume: how it is continued, if repeating it is refused once it has a state."""

    name: str
    arguments: tuple[Any, ...]
    resume: tuple[Any, ...] = ()

    def again(self, root: Path) -> Outcome:
        """Do what a user does after a fault: repeat the command, or resume the run if there is one."""
        numbered = sorted((root / "outputs").glob("*/" + STATE)) if "--out" not in self.arguments else []
        if numbered and self.resume:
            return run(root, *self.resume, numbered[0].parent)
        outcome = run(root, *self.arguments)
        if outcome.code == 2 and "resume it with --resume" in outcome.stderr:
            return run(root, *self.resume, self.arguments[self.arguments.index("--out") + 1])
        return outcome


SCENARIOS = [
    Scenario("learn, numbered", LOOP, ("learn", "--resume")),
    Scenario("learn", (*LEARN, "--points", 8, "--out", "new"), ("learn", "--resume")),
    Scenario("learn --resume", ("learn", "--resume", "half", "--save-every", 0)),
    Scenario("import, numbered", ("import", "matrix.npy")),
    Scenario("import", ("import", "matrix.npy", "--out", "new")),
    Scenario("rank", ("rank", "run", "--samples", 2, "--hessians", 2)),
    Scenario("bend", ("bend", "run", "--points", 8)),
    Scenario("name", ("name", "run", 0, "first")),
    Scenario("measure", ("measure", "run", "--metric", "share", "--metric", "activeness", "--samples", 3)),
    Scenario("measure --out", ("measure", "run", "--metric", "activeness", "--samples", 3, "--out", "new")),
    Scenario("measure --again", ("measure", "measured", "--metric", "share", "--metric", "activeness", "--again")),
    Scenario("render grid", ("render", "grid", "run", "--samples", 1, "--steps", 2)),
    Scenario("render video", ("render", "video", "run", "--samples", 1, "--seconds", 0.1, "--fps", 20)),
    Scenario("align", ("align", "run", "--direction", 0, "--samples", 1)),
    Scenario("edit", ("edit", "run", "--step", "move:0=1", "--samples", 1)),
    Scenario("page", ("page", "run")),
    Scenario("export", ("export", "run", "--out", "new.npy", "--force")),
    Scenario("train progan", ("train", "progan", "images", "--resolution", 8, *PROGAN, *OFTEN, *SCORED, "--out", "new"),
             ("train", "progan", *OFTEN, *SCORED, "--resume")),
    Scenario("train progan --resume", ("train", "progan", *UNSCORED, "--resume", "training")),
    Scenario("finetune", ("finetune", "trained", "images", "--resolution", 8, *TUNED, *UNSCORED, "--out", "new"),
             ("finetune", *UNSCORED, "--resume")),
    Scenario("train biggan", ("train", "biggan", "labelled", *BIGGAN, *OFTEN, "--out", "new"),
             ("train", "biggan", *OFTEN, "--resume")),
    Scenario("train st-rkm", ("train", "st-rkm", "greys", *AUTOENCODER, *LEARNS, "--columns", 2, "--out", "new"),
             ("train", "st-rkm", *LEARNS[-4:], "--resume")),
    Scenario("train vae", ("train", "vae", "greys", *AUTOENCODER, *LEARNS, "--z-dim", 2, "--out", "new"),
             ("train", "vae", *LEARNS[-4:], "--resume")),
    Scenario("train factors", ("train", "factors", "labelled", "labelled", "--epochs", 1, "--out", "net.safetensors")),
    Scenario("scenes", ("scenes", "shapes", "--num", 3, "--resolution", 16, "--workers", 1, "--out", "new")),
]  # fmt: skip


def build(root: Path) -> None:
    """Make what the scenarios begin with: a generator, data sets, and runs that are finished or stopped half way."""
    torch.save(dcgan_state(), root / "small.pth")
    np.save(root / "matrix.npy", np.eye(6, dtype=np.float32)[:4])
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    for number, pixels in enumerate(rng.integers(0, 255, (8, 8, 8, 3), np.uint8)):
        Image.fromarray(pixels).save(root / "images" / f"{number}.png")
    (root / "greys").mkdir()
    for grey in range(0, 250, 10):
        Image.new("RGB", (8, 8), (grey, grey, grey)).save(root / "greys" / f"{grey:03d}.png")
    factor = Factor("class", choices=("red", "blue"))
    about = {"kind": "squares", "seed": 0, "resolution": 16, "versions": {}}
    rows = [{"class": factor.choices[index % 2]} for index in range(100)]
    datasets.begin(root / "labelled", about, [factor], rows)
    for index in range(100):
        datasets.write_image(root / "labelled" / image_name(index), rng.integers(0, 255, (16, 16, 3), np.uint8))
    datasets.finish(root / "labelled", 100)
    generator = df.load_generator(f"dcgan:{root / 'small.pth'}", num_classes=NUM_CLASSES)
    settings = {"class_name": 1, "method": "hessian", "steps": 3, "batch_size": 4}
    df.learn(generator, out=root / "run", **settings)
    df.learn(generator, out=root / "half", progress=stop_at(2), **settings)
    shutil.copytree(root / "run", root / "measured")
    for metric in ("share", "activeness"):
        measurement = df.measure(generator, df.open_run(root / "run").directions, metric, samples=3)
        measurement.save_raw(raw_path(root / "measured", measurement.metric.layout))
    upkeep = Upkeep(preview_every=2, score_every=0, save_every=0)
    for name, stop in (("trained", 99), ("training", 2)):
        df.train(
            "progan",
            root / "images",
            out=root / name,
            resolution=8,
            upkeep=upkeep,
            progress=stop_at(stop),
            **TINY_PROGAN,
        )


def stop_at(step: int) -> Any:
    """Return a callable that stops a loop after a step."""
    return lambda progress: progress.stop() if progress.step == step and progress.total > 2 else None


def moved(template: Path, root: Path) -> None:
    """Copy a template to `root`, where its runs must find their generators and data."""
    shutil.copytree(template, root)
    for config in root.glob(f"*/{CONFIG}"):
        config.write_text(config.read_text().replace(str(template), str(root)))
    (root / "settings").mkdir(exist_ok=True)


def results(root: Path, scenario: Scenario) -> dict[str, bytes]:
    """Return the files that a scenario must leave, apart from those that hold times."""
    shows_times = scenario.arguments[0] in SHOWS_TIMES
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and path.name not in TIMED
        and path.relative_to(root).parts[0] not in ("settings", "cache")
        and not (shows_times and path.name == "index.html")
    }


def leftovers(root: Path) -> Iterator[str]:
    """Yield what no command may leave: temporaries, locks, and folders in outputs/ without a finished run."""
    for path in root.rglob("*"):
        if path.name.startswith(TEMPORARY) or path.name == LOCK:
            yield f"orphan {path.relative_to(root)}"
    for folder in (root / "outputs").glob("*"):
        if '"finished": "' not in (folder / CONFIG).read_text() if (folder / CONFIG).is_file() else True:
            yield f"dead folder {folder.relative_to(root)}"
