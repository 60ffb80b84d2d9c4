"""What files, folders and generators are, how they were made, what is wrong with them: all that takes reading them."""

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError, safe_open

from direction_finder.datasets import DATASET, Dataset
from direction_finder.directions import Directions
from direction_finder.edits import Recipe
from direction_finder.errors import InputError
from direction_finder.files import CONFIG, METADATA_KEY, RANK, STATE, file_sha256, read_json
from direction_finder.generators import Generator, load_generator
from direction_finder.generators.biggan import load_biggan
from direction_finder.generators.biggan_deep import load_biggan_deep
from direction_finder.generators.dcgan import load_dcgan
from direction_finder.generators.progan import ZOO_CONFIG, load_progan
from direction_finder.generators.weights import read_state
from direction_finder.images import CODECS, MADE_KEY
from direction_finder.interop import read_matrix
from direction_finder.metrics.factor_network import KIND as FACTOR_NETWORK
from direction_finder.metrics.factor_network import FactorNetwork
from direction_finder.reports.measures import METRICS, TOGETHER
from direction_finder.reports.run_headers import Facts, from_headers
from direction_finder.runs.folder import FOUND, Run
from direction_finder.runs.loading import Loader
from direction_finder.runs.trainers import verb
from direction_finder.runs.training import NEEDED
from direction_finder.samples import KIND as SAMPLES
from direction_finder.samples import Samples

FAR = 0.02  # of the 2 between black and white: more than other hardware and versions change an image


def described(path: Path, problems: list[str]) -> Facts:
    """Return the facts about a file or folder; add what is wrong to `problems`, or raise InputError."""
    if path.is_dir():
        if (path / DATASET).is_file():
            return _dataset(path, problems)
        if _is_run(path, NEEDED):
            return _training(path, problems)
        return _run(path, problems) if _is_run(path) else _biggan(path)
    described: dict[str, Callable[[Path], Facts]] = {
        ".png": _image,
        ".json": _json,
        ".jsonl": _log,
        ".safetensors": _safetensors,
        ".svg": lambda _: {"kind": "figure"},
        ".html": lambda _: {"kind": "page"},
        ".md": lambda _: {"kind": "table"},
        **dict.fromkeys(CODECS, _video),
    }
    return {"bytes": path.stat().st_size, "sha256": file_sha256(path)} | described.get(path.suffix.lower(), _weights)(
        path
    )


def _is_run(folder: Path, needed: Sequence[str] = FOUND) -> bool:
    try:
        Run.open(folder, needed)
    except InputError:
        return False
    return True


def _run(folder: Path, problems: list[str]) -> Facts:
    """Return the facts in the headers of a run; read its tensors too, and compare its probe with the generator."""
    run = Run.open(folder, FOUND)
    run.read_state()
    probe = Directions.load(run.directions_path).probe if run.directions_path.is_file() else None
    facts = from_headers(folder, problems) or {}
    if probe is None:
        return facts
    try:
        deviation = Loader().load_recorded(run).deviation(probe)
    except InputError as error:
        return {**facts, "probe": f"not compared: {error}"}
    if deviation > FAR:
        problems.append(
            f"the generator renders the probe of these directions differently, by {deviation:.2g} of 2: its weights or "
            "the version of torch have changed since the directions were found"
        )
    return {**facts, "probe": {"deviation": deviation}}


def _training(folder: Path, problems: list[str]) -> Facts:
    run = Run.open(folder, NEEDED)
    state = run.read_state()
    facts = {"kind": "training run", **run.config, "step": int(state["step"]) if state else 0}
    if not run.config["finished"]:
        problems.append(f"stopped at step {facts['step']}: {verb(run)} --resume {folder} resumes it")
    return facts


def _dataset(folder: Path, problems: list[str]) -> Facts:
    data = Dataset.open(folder)
    problems += [f"{name} is missing or changed" for name in data.damaged()]
    return {**data.about, "kind": f"data set, {data.about['kind']}", "factors": [each.name for each in data.factors]}


def _biggan(folder: Path) -> Facts:
    if not (folder / CONFIG).is_file():
        raise InputError(f"{folder}: neither a run (config.json), nor a data set, nor a BigGAN-deep folder")
    return {"kind": "biggan-deep folder", **_generator(load_biggan_deep(folder, name=f"biggan-deep:{folder}"))}


def _safetensors(path: Path) -> Facts:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise InputError(f"{path}: not a readable safetensors file ({error}); it may be cut short") from error
    kind = None
    with suppress(ValueError, AttributeError):  # whatever is wrong with it is said by who reads it below
        kind = json.loads(metadata[METADATA_KEY]).get("kind") if METADATA_KEY in metadata else None
    if kind == FACTOR_NETWORK:
        network = FactorNetwork.load(path)
        factors = [factor.name for factor in network.factors]
        return {"kind": FACTOR_NETWORK, "factors": factors, "resolution": network.resolution, **network.about}
    if kind == SAMPLES:
        samples = Samples.load(path)
        classes = None if samples.classes is None else samples.classes.tolist()
        return {"kind": SAMPLES, "shape": list(samples.latents.shape), "classes": classes, "space": samples.space}
    if METADATA_KEY in metadata:
        record = Directions.load(path)
        return {"kind": "directions", "directions": len(record), "dim": record.dim, **record.metadata()}
    if path.name == STATE:
        state = Run(path.parent, {}).read_state()
        return {"kind": "state of a run", "step": int(state["step"]) if state else 0}
    return _weights(path)


def _weights(path: Path) -> Facts:
    with suppress(InputError):
        rows = read_matrix(path).rows
        return {"kind": "matrix of directions", "shape": list(rows.shape), "use": f"direction-finder import {path}"}
    state = read_state(path, stubs=(ZOO_CONFIG,))
    facts: Facts = {"tensors": len(state), "parameters": sum(tensor.numel() for tensor in state.values())}
    for family, load in (("biggan", load_biggan), ("progan", load_progan), ("dcgan", load_dcgan)):
        with suppress(InputError):
            return {"kind": f"{family} weights", **facts, **_generator(load(path, name=f"{family}:{path}"))}
    return {"kind": "weights of an unknown architecture", **facts, "first": sorted(state)[:3]}


def of_spec(spec: str) -> Facts:
    """Return the facts about the generator with this name."""
    return {"kind": "generator", **_generator(load_generator(spec, progress=True))}


def _generator(generator: Generator) -> Facts:
    names = ("name", "dim", "num_layers", "num_classes", "resolution", "weights_sha256", "activation_names", "notes")
    return {name: getattr(generator, name) for name in names}


def _image(path: Path) -> Facts:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            image.load()
            made = getattr(image, "text", {}).get(MADE_KEY)
            return {"kind": "image", "size": list(image.size), "made": json.loads(made) if made else None}
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable image ({error})") from error


def _video(path: Path) -> Facts:
    import imageio.v3 as iio
    import imageio_ffmpeg

    try:
        frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
        listing = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-f", "ffmetadata", "-"]
        metadata = subprocess.run(listing, capture_output=True, text=True, check=False).stdout
        made = re.search(r"^comment=(.*)$", metadata, re.MULTILINE)
        facts = {
            "kind": "video",
            "frames": frames,
            "seconds": seconds,
            "size": list(iio.improps(path, index=0).shape[1::-1]),
        }
        return facts | {"made": json.loads(re.sub(r"\\(.)", r"\1", made[1])) if made else None}
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable video; it may be cut short") from error


def _log(path: Path) -> Facts:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    try:
        steps = [json.loads(line) for line in lines]
    except ValueError as error:
        raise InputError(f"{path}: not the log of a run ({error})") from error
    return {"kind": "log of a run", "lines": len(steps), "first": steps[:1], "last": steps[-1:]}


def _json(path: Path) -> Facts:
    try:
        return _of_json(path)
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: does not hold what its name says ({error!r})") from error


def _of_json(path: Path) -> Facts:
    if path.name == CONFIG:
        return {"kind": "configuration", "holds": read_json(path)}
    if path.name == "factors.json":
        report = read_json(path)
        return {"kind": "effects on factors", **{key: report[key] for key in ("class", "samples", "names", "scores")}}
    if path.name == RANK:
        report = read_json(path)
        return {"kind": "ranking", **{key: report[key] for key in ("short_list", "with", "samples", "hessians")}}
    if path.stem in (TOGETHER, *METRICS):
        return {"kind": "measures", "of": sorted(read_json(path))}
    recipe = Recipe.load(path)
    return {"kind": "edit recipe", "samples": recipe.samples, "seed": recipe.seed} | {
        "steps": [f"{step.edit}:{step.direction}={step.value}" for step in recipe.steps]
    }
