"""Open directions in files and run folders, with the generators that they belong to, if those may be loaded."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from direction_finder.directions import Directions
from direction_finder.errors import InputError, Unfinished
from direction_finder.files import CONFIG
from direction_finder.generators import Generator, Untold, load_generator
from direction_finder.generators.devices import pick_device
from direction_finder.generators.loading import OnDownload
from direction_finder.generators.weights import tensor_hashes
from direction_finder.runs.folder import FOUND, Run, absolute
from direction_finder.runs.ranks import read_rank
from direction_finder.runs.trust import remember, searched_folder
from direction_finder.samples import Samples


class Loader:
    """Load generators onto a device. The last one is kept in memory and returned again for the same arguments."""

    def __init__(self, device: str = "auto", progress: bool | OnDownload | None = None):
        self.device, self.progress = pick_device(device), progress
        self.kept: dict[tuple, Generator] = {}

    def load(
        self, spec: str, *, truncation: float | None = None, folder: Path | None = None, untold: Untold | None = None
    ) -> Generator:
        """Load the generator that `spec` names. untold: settings that its weights do not contain."""
        untold = untold or Untold()
        key = (spec, truncation, folder, untold)
        if key not in self.kept:
            self.kept.clear()
            self.kept[key] = load_generator(
                spec, truncation, device=self.device, progress=self.progress, folder=folder,
                **dataclasses.asdict(untold),
            )  # fmt: skip
        return self.kept[key]

    def load_recorded(self, run: Run, spec: str | None = None) -> Generator:
        """Load the generator that a run's `config.json` names, if `trust` allows it, or `spec` instead.

        Raises InputError if a factory returns other weights than when the run began; it names a tensor that differs.
        """
        record = run.config["generator"]
        if missing := {"spec", "truncation", "weights_sha256"} - record.keys():
            raise InputError(f"{run.folder / CONFIG}: damaged: its generator has no {min(missing)}")
        if not (spec or record["spec"]):
            raise InputError(f"{run.folder}: not bound to a generator; name one with `generator`")
        same_family = not spec or spec.partition(":")[0] == (record["spec"] or "").partition(":")[0]
        settings = {field.name: record.get(field.name) for field in dataclasses.fields(Untold) if same_family}
        folder = None if spec else searched_folder(run.folder, record["spec"])
        truncation = record["truncation"]
        generator = self.load(spec or record["spec"], truncation=truncation, folder=folder, untold=Untold(**settings))
        if generator.weights_sha256 != record["weights_sha256"] and record.get("tensors"):
            raise InputError(f"{run.folder}: {_difference(generator, record['tensors'])}")
        return generator


def _difference(generator: Generator, before: dict[str, str]) -> str:
    """Describe which tensors of a generator have changed."""
    now = tensor_hashes(generator.state_dict())
    changed = [key for key in sorted(now.keys() | before.keys()) if now.get(key) != before.get(key)]
    return (
        f"{generator.name} has other weights than when the run began: {len(changed)} of {len(now)} tensors differ, "
        f"first {changed[0].removeprefix('module.')}; a factory must return the same weights each time: load them, "
        "or draw them with a fixed seed"
    )


@dataclass(frozen=True)
class Loaded:
    """Hold directions, the file they came from, and their generator."""

    path: Path
    directions: Directions
    generator: Generator

    @property
    def folder(self) -> Path:
        """Return the folder of the directions, where images are saved by default."""
        return self.path.parent

    @classmethod
    def open(cls, path: Path, loader: Loader, spec: str | None = None) -> "Loaded":
        """Open a run folder or a directions file, and load its generator. spec: another generator.

        Raises InputError if the generator does not fit, and Unfinished if a run has no directions yet.
        """
        if path.is_file():
            directions = Directions.load(path)
            folder = None if spec or not directions.generator else searched_folder(path.parent, directions.generator)
            name = spec or directions.generator
            if not name:
                raise InputError(f"{path}: not bound to a generator; name one with `generator`")
            return cls(path, *fitting(directions, loader.load(name, folder=folder)))
        run = Run.open(path, FOUND, "learn or import")
        directions = read_directions(run)
        if spec and absolute(spec) == run.config["generator"]["spec"]:  # named by the user, so allowed from now on
            remember(path, absolute(spec))
        return cls(run.directions_path, *fitting(directions, loader.load_recorded(run, spec)))

    @property
    def short_list(self) -> list[int]:
        """Return the numbers of the directions that `rank` found to matter; empty without a ranking."""
        return short_list(self.folder, self.directions)

    def pick(self, text: str | None, most: int | None = None) -> list[int]:
        """Return the direction numbers meant by "0-7,12", names or "all" (None: the short list or the first `most`)."""
        if text is not None:
            return self.directions.pick(text)
        count = len(self.directions)
        return self.short_list[:most] or list(range(min(most or count, count)))

    def pick_one(self, text: str) -> int:
        """Return the one direction number meant by `text`. Raises InputError if it means several."""
        picked = self.pick(text)
        if len(picked) != 1:
            raise InputError(f"direction {text!r}: expected one number, e.g. 5")
        return picked[0]

    def samples(self, samples: int | Path, seed: int, class_name: str | None) -> Samples:
        """Draw a number of samples, or read a file of samples.

        class_name: their class (None: the classes in the file, else the directions' class, else random classes).
        """
        if isinstance(samples, Path):
            loaded = Samples.load(samples)
            fallback = self.directions.class_index if loaded.classes is None else None
            return self.generator.accept(loaded, fallback if class_name is None else class_name)
        return self.generator.samples(samples, seed=seed, class_name=self.class_index(class_name))

    def class_index(self, class_name: str | None) -> int | None:
        """Return the number of the named class, or of the directions' class; None means random classes."""
        return class_index(self.generator, self.directions, class_name)


def class_index(generator: Generator, directions: Directions | None, class_name: str | None) -> int | None:
    """Return the number of the named class, or of the directions' class; None means random classes."""
    if class_name is not None:
        return generator.class_index(class_name)
    return directions.class_index if directions else None


def read_directions(run: Run) -> Directions:
    """Return the directions of a run. Raises Unfinished if it has none yet."""
    if not run.directions_path.is_file():
        raise Unfinished(f"{run.folder}: no directions yet; finish the run with learn --resume {run.folder}")
    return Directions.load(run.directions_path)


def short_list(folder: Path, directions: Directions) -> list[int]:
    """Return the short list of the ranking in this folder; empty if it ranks other directions or does not exist."""
    report = read_rank(folder, directions)
    return report["short_list"] if report else []


def fitting(directions: Directions, generator: Generator) -> tuple[Directions, Generator]:
    """Check that directions fit a generator, and return both; unbound directions get the scale of its latents."""
    return generator.fitted(directions), generator
