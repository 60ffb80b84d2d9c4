"""Load generators from a function of the user: `python:package.module:factory` or `python:FILE.py:factory`."""

import hashlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Annotated, Any, TypedDict

from msgspec import Meta
from torch import nn

from direction_finder.errors import InputError, out_of_memory
from direction_finder.files import checked
from direction_finder.generators import contract
from direction_finder.generators.base import Generator
from direction_finder.generators.user_errors import Guarded, named, told
from direction_finder.generators.wrapped import WrappedModule

NEEDED = ("name", "dim", "resolution", "activation_names", "weights_sha256")  # attributes that have no default


class Attributes(TypedDict):
    """Declare the types of a Generator's attributes."""

    name: Annotated[str, Meta(min_length=1)]
    dim: Annotated[int, Meta(ge=1)]
    resolution: Annotated[int, Meta(ge=1)]
    activation_names: tuple[str, ...]
    weights_sha256: str
    num_layers: Annotated[int, Meta(ge=1, le=1000)]
    num_classes: Annotated[int, Meta(ge=0)]
    class_names: tuple[str, ...]
    scale: Annotated[float, Meta(gt=0, le=1e30)]
    space: str


def load_python(
    target: str,
    *,
    dim: int | None = None,
    num_classes: int = 0,
    truncation: float | None = None,
    folder: str | Path | None = None,
) -> Generator:
    """Call the factory that `target` names and return its `nn.Module`, wrapped, or its `Generator`.

    dim: size of z; by default read from the first layer with weights. folder: where modules are searched first; by
    default the working directory. Raises InputError if the factory cannot be found, if it fails (the message says
    where), or if its network breaks the rules of `contract`.
    """
    name = f"python:{_shown(target)}"
    with _without_arguments():
        try:
            model = _factory(target, Path(folder or os.getcwd()))
            if not isinstance(model, nn.Module):
                model = model()
        except InputError as error:  # of a WrappedModule in the factory: its settings are arguments there
            raise InputError(re.sub(r"`(\w+)`", r"\1=", str(error))) from error
        except BaseException as error:  # SystemExit among them, which would end the program without a word
            if isinstance(error, KeyboardInterrupt) or out_of_memory(error):
                raise
            raise InputError(f"{name}, called without arguments, failed: {told(error)}") from error
    if isinstance(model, Generator):
        if dim is not None or num_classes or truncation is not None:
            raise InputError(
                f"{name} returns a Generator, which fixes its own size, classes and truncation: omit these"
            )
        if isinstance(model, WrappedModule):
            return model
        return _checked(model, name)
    if not isinstance(model, nn.Module):
        raise InputError(f"{name} returned type {type(model).__name__}: expected an nn.Module or a Generator")
    return WrappedModule(model, dim, num_classes, name=name, truncation=truncation)


def _checked(model: Generator, name: str) -> Generator:
    """Return a user's Generator, frozen, whose attributes are of the right types and which keeps to the contract."""
    if missing := [field for field in NEEDED if not hasattr(model, field)]:
        raise InputError(f"{name} returns a Generator without {missing[0]}; set it in its __init__")
    with named(name):
        checked(
            {field: getattr(model, field) for field in Attributes.__annotations__}, "returns a Generator", Attributes
        )
        if len(model.class_names) != model.num_classes:
            raise InputError(f"has {len(model.class_names)} class_names for {model.num_classes} classes: give one each")
        for method in ("run", "sample"):
            vars(model)[method] = Guarded(name, getattr(model, method))
        model.freeze()
    model.differentiable = contract.check(model)
    return model


def source_sha256(target: str, folder: str | Path) -> str | None:
    """Return the SHA-256 of the files that importing `target` runs: its module and the packages that contain it.

    Nothing is imported. Returns None if there are no such files, as for modules built into Python.
    """
    module, _, _ = target.rpartition(":")
    files = [Path(folder, module)] if _is_path(module) else list(_module_files(module, Path(folder)))
    if not files or not all(file.is_file() for file in files):
        return None
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def absolute_target(target: str) -> str:
    """Return the target; if it names a file, with the absolute path of the file."""
    module, _, attribute = target.rpartition(":")
    return f"{os.path.abspath(module)}:{attribute}" if _is_path(module) else target


def _module_files(module: str, folder: Path) -> Iterator[Path]:
    """Yield the file of each package that contains a module, and then the module's own file."""
    path = [str(folder), *sys.path]
    for part in module.split("."):
        spec = PathFinder.find_spec(part, path)
        if spec is None:
            yield Path()  # not a file
            return
        if spec.has_location and spec.origin:
            yield Path(spec.origin)
        path = list(spec.submodule_search_locations or ())


def _factory(target: str, folder: Path) -> Any:
    """Import and return what `target` names."""
    module, _, attribute = target.rpartition(":")
    if not module or not attribute:
        raise InputError(f"python:{target}: expected python:package.module:factory or python:FILE.py:factory")
    if _is_path(module):
        loaded = _from_file((folder / module).resolve())
    else:
        _first_on_path(folder)
        try:
            loaded = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name and (module == error.name or module.startswith(f"{error.name}.")):
                raise InputError(
                    f"python:{target}: there is no module {error.name} in {folder} or among the installed ones"
                ) from error
            raise
    if not hasattr(loaded, attribute):
        raise InputError(f"python:{target}: {module} has no {attribute}; expected a function that makes the network")
    return getattr(loaded, attribute)


def _from_file(file: Path) -> Any:
    """Import a file as the module of its name, with its folder on the path, so that it can import its neighbours."""
    if not file.is_file():
        raise InputError(f"{file}: no such file; python:FILE.py:factory must name a Python file")
    _first_on_path(file.parent)
    before = sys.modules.get(file.stem)
    name = file.stem
    if before is not None:
        if getattr(before, "__file__", None) == str(file):
            return before
        name = f"{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file}: expected a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _first_on_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _is_path(module: str) -> bool:
    return module.endswith(".py") or "/" in module or os.sep in module


def _shown(target: str) -> str:
    """Return the target without the folders of its file, as it is written into directions files."""
    module, colon, attribute = target.rpartition(":")
    return f"{Path(module).name}{colon}{attribute}" if _is_path(module) else target


@contextmanager
def _without_arguments() -> Iterator[None]:
    """Hide the command's arguments from code that reads `sys.argv`."""
    before = sys.argv
    sys.argv = sys.argv[:1]
    try:
        yield
    finally:
        sys.argv = before
