"""Find directions and train generators in run folders, each by one function."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from direction_finder.discovery.configs import DEFAULT
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.progress import Reporting, reporting
from direction_finder.runs import learning, training
from direction_finder.runs.loading import Loader
from direction_finder.runs.opened import OpenRun
from direction_finder.runs.trainers import MODELS, STARTED, Upkeep
from direction_finder.settings import SAVE_EVERY


def learn(
    generator: Generator | str,
    method: str = DEFAULT,
    *,
    class_name: str | int | Sequence[str | int] | None = None,
    part: str | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    save_every: float = SAVE_EVERY,
    progress: Reporting = None,
    **settings: Any,
) -> OpenRun:
    """Find directions and save everything in a run folder, which can be resumed.

    generator: one that is loaded, or what `load_generator` takes. out: the folder (None: the next number under
    outputs/). save_every: seconds between two states. Otherwise as `find`, and with the same result.

    >>> run = df.learn("shapes-64", class_name="cube", points=24, progress=True)
    >>> run.directions, run.finished

    Raises InputError for settings that do not fit, or a folder that holds anything.
    """
    if not isinstance(method, str):
        raise InputError(
            "a method of your own cannot be resumed: give it to `find`, and save the directions it returns"
        )
    loaded = Loader(device).load(generator) if isinstance(generator, str) else generator
    several = class_name is not None and not isinstance(class_name, str | int)
    names = tuple(map(str, [class_name] if isinstance(class_name, str | int) else class_name or ()))
    (search,) = learning.searches(
        loaded, method, learning.absolute_start(settings), names, (part,) if part else (), together=several
    )
    with reporting(progress) as on_step:
        run, _ = learning.begin(search.settled(), Path(out) if out else None, save_every=save_every, on_step=on_step)
    return OpenRun(run.folder, run.config)


def train(
    model: str,
    data: str | Path,
    *,
    out: str | Path | None = None,
    label: str = "class",
    start: str | Path | None = None,
    resolution: int | None = None,
    device: str = "auto",
    upkeep: Upkeep | None = None,
    progress: Reporting = None,
    **settings: Any,
) -> OpenRun:
    """Train a generator on images, in a run folder.

    model: "biggan", "progan", "st-rkm" or "vae". data: a data set that `scenes` made, or a folder of images or of IDX
    files. label: the factor that is the class (biggan). start: a snapshot to begin with (biggan, progan). resolution:
    width and height in pixels to which images are scaled (None: unchanged). settings: fields of `BigGANConfig`,
    `ProGANConfig`, `StRKMConfig` or `VAEConfig`.

    >>> run = df.train("progan", "data/simple", kimg=600, progress=True)
    >>> generator = run.generator()

    Raises InputError for data or settings that do not fit, Diverged if the training diverges.
    """
    if model not in MODELS:
        raise InputError(f"model {model!r}: expected {', '.join(MODELS)}")
    if start and model not in STARTED:
        raise InputError(f"`start` {start}: only {' and '.join(STARTED)} begin with a snapshot; leave it out")
    with reporting(progress) as on_step:
        prepared = training.prepare(
            model,
            data,
            settings,
            start=Path(start) if start else None,
            label=label if model == "biggan" else None,
            resolution=resolution,
            device=device,
        )
        watch = training.Watch(on_step=on_step)
        run = training.begin(prepared, out=Path(out) if out else None, upkeep=upkeep, watch=watch)
    return OpenRun(run.folder, run.config)


def finetune(
    checkpoint: str | Path,
    data: str | Path,
    *,
    out: str | Path | None = None,
    resolution: int | None = None,
    device: str = "auto",
    upkeep: Upkeep | None = None,
    progress: Reporting = None,
    **settings: Any,
) -> OpenRun:
    """Fine-tune a fully grown ProGAN with the Hessian Penalty on its activations (Peebles et al. 2020, Sec. 4.1).

    checkpoint: a run of `train` with "progan", or its snapshot. The other arguments are those of `train`.

    >>> run = df.finetune("outputs/simple", "data/simple", penalty_weight=0.05, ramp_kimg=60)
    """
    start, sizes = training.snapshot_settings(Path(checkpoint))
    return train(
        "progan", data, out=out, start=start, resolution=resolution, device=device, upkeep=upkeep, progress=progress,
        **sizes, **settings,
    )  # fmt: skip
