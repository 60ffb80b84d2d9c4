"""Describe files, folders and generators by reading them: what they are, how they were made, what is wrong."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from direction_finder.datasets import DATASET, Dataset
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import CONFIG, RANK, STATE, existing_file, file_sha256, read_json
from direction_finder.generators import Generator, load_generator
from direction_finder.generators.biggan import load_biggan
from direction_finder.generators.biggan_deep import load_biggan_deep
from direction_finder.generators.dcgan import load_dcgan
from direction_finder.generators.progan import ZOO_CONFIG, load_progan
from direction_finder.generators.weights import read_state
from direction_finder.images import CODECS
from direction_finder.interop import read_matrix
from direction_finder.metrics.factor_network import KIND as FACTOR_NETWORK
from direction_finder.metrics.factor_network import FactorNetwork
from direction_finder.recipes import Recipe, Step
from direction_finder.reports import media_facts
from direction_finder.reports.logs import read_log
from direction_finder.reports.measures import METRICS, TOGETHER
from direction_finder.reports.measures.kinds import read_report, read_together
from direction_finder.reports.measures.raw import KIND as RAW
from direction_finder.reports.measures.raw import read_raw
from direction_finder.reports.pages.strip_file import KIND as STRIPS
from direction_finder.reports.pages.strip_file import read_strips
from direction_finder.reports.run_headers import Facts, from_headers
from direction_finder.runs.folder import FOUND, Run
from direction_finder.runs.loading import Loader
from direction_finder.runs.measure_cache import KIND as PARTS
from direction_finder.runs.ranks import check_rank, read_rank
from direction_finder.runs.trainers import lost, verb
from direction_finder.runs.training import NEEDED
from direction_finder.samples import KIND as SAMPLES
from direction_finder.samples import Samples
from direction_finder.tensor_files import read_metadata

HASHED = 16_000_000_000  # bytes; hashing takes a second or two for each GB
LAYOUTS = tuple(metric.layout for metric in METRICS.values())
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
        ".png": media_facts.image,
        ".json": _json,
        ".jsonl": _log,
        ".safetensors": _safetensors,
        ".svg": lambda _: {"kind": "figure"},
        ".html": lambda _: {"kind": "page"},
        ".md": lambda _: {"kind": "table"},
        **dict.fromkeys(CODECS, media_facts.video),
    }
    size = existing_file(path).stat().st_size
    facts = described.get(path.suffix.lower(), _weights)(path)
    return {
        "bytes": size,
        "sha256": file_sha256(path) if size <= HASHED else f"not computed above {HASHED:,} bytes",
    } | facts


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
    if not run.finished:
        problems.append(f"stopped at step {facts['step']}: {verb(run)} --resume {folder} resumes it")
    elif missing := lost(run):
        problems.append(f"{', '.join(missing)} missing: {verb(run)} --resume {folder} writes them again")
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
    metadata = read_metadata(path)
    kind = metadata.get("kind") if isinstance(metadata, dict) else None
    if kind == RAW:
        return _raw(path, metadata)
    if kind == PARTS:
        return {"kind": PARTS}
    if kind == STRIPS:
        strips, made = read_strips(path)
        return {**made, "kind": STRIPS, "strips_of": sorted(strips)}
    if kind == FACTOR_NETWORK:
        network = FactorNetwork.load(path)
        factors = [factor.name for factor in network.factors]
        return {"kind": FACTOR_NETWORK, "factors": factors, "resolution": network.resolution, **network.about}
    if kind == SAMPLES:
        samples = Samples.load(path)
        classes = None if samples.classes is None else samples.classes.tolist()
        return {"kind": SAMPLES, "shape": list(samples.latents.shape), "classes": classes, "space": samples.space}
    if metadata is not None:
        record = Directions.load(path)
        return {"kind": "directions", "directions": len(record), "dim": record.dim, **record.metadata()}
    if path.name == STATE:
        state = Run(path.parent, {}).read_state()
        return {"kind": "state of a run", "step": int(state["step"]) if state else 0}
    return _weights(path)


def _raw(path: Path, metadata: Facts) -> Facts:
    """Return facts about raw measurements, after checking all of them."""
    layout = next((layout for layout in LAYOUTS if layout.file == metadata.get("file")), None)
    if layout is None:
        raise InputError(f"{path}: raw measurements of no metric that is known; a newer direction-finder may read them")
    raw = read_raw(path, layout)
    return {"kind": RAW, "of": [name for name, metric in METRICS.items() if metric.layout is layout], **raw.origin}


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


def _log(path: Path) -> Facts:
    steps = read_log(path)
    return {"kind": "log of a run", "lines": len(steps), "first": steps[:1], "last": steps[-1:]}


def _json(path: Path) -> Facts:
    if path.name == CONFIG:
        return {"kind": "configuration", "holds": read_json(path, dict[str, Any])}
    if path.name == RANK:
        directions = _directions_in(path.parent)
        report = (read_rank(path.parent, directions) if directions else None) or check_rank(path)
        return {"kind": "ranking", **_chosen(report, ("short_list", "with", "samples", "hessians"))}
    if path.stem in METRICS:
        report = read_report(path)
        if path.stem == "factors":
            return {"kind": "effects on factors", **_chosen(report, ("class", "samples", "names", "scores"))}
        return {"kind": "measures", "of": sorted(report)}
    if path.stem == TOGETHER:
        return {"kind": "measures", "of": sorted(read_together(path))}
    recipe = Recipe.load(path)
    return {"kind": "edit recipe", "samples": recipe.samples, "seed": recipe.seed} | {
        "steps": [_written(step) for step in recipe.steps]
    }


def _written(step: Step) -> str:
    kept = f", keeping {', '.join(map(str, step.keep))}" if step.keep else ""
    return f"{step.edit}:{step.direction}={step.value}{kept}"


def _chosen(report: Mapping[str, Any], keys: Sequence[str]) -> Facts:
    return {key: report[key] for key in keys if key in report}


def _directions_in(folder: Path) -> Directions | None:
    """Return the directions in a folder; None if there are none, or if they are damaged, which their own facts say."""
    with suppress(InputError):
        return Directions.load(folder)
    return None
