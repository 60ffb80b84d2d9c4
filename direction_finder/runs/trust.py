"""What a run folder may call for: code and downloads that the user's own run wrote down, outside the folder.

A run folder or a directions file may come from anybody, and the generator it names may be code (`python:`) or a
download. Neither is touched unless the user names it on this command line, or named it when this folder was made.
"""

import hashlib
import os
from pathlib import Path

from direction_finder.errors import InputError
from direction_finder.files import read_json, settings_folder, write_json
from direction_finder.generators import consequence
from direction_finder.generators.python import source_sha256


def remember(run: Path, spec: str | None) -> None:
    """Note that this run folder may call for the generator `spec`, which the user named on the command line."""
    if not spec or not consequence(spec, nothing_is_here=True):
        return
    searched = os.getcwd()
    note = {"run": str(run.resolve()), "spec": spec, "searched": searched, "sha256": _sha256(spec, searched)}
    write_json(_note(run), note)


def searched_folder(run: Path, spec: str) -> Path | None:
    """Return the folder in which the modules of a generator are looked for, if a file in `run` may call for it.

    None: there is nothing to allow. Raises InputError, which says what would happen and how to allow it.
    """
    what = consequence(spec)
    if what is None:
        return None
    path = _note(run)
    note = read_json(path) if path.is_file() else {}
    cure = f"if you trust it, name it yourself: --generator {spec}"
    if note.get("spec") != spec:
        raise InputError(f"{run}: asks for generator {spec}, which {what}, and was not made by you; {cure}")
    if note["sha256"] != _sha256(spec, note["searched"]):
        raise InputError(f"{run}: the code of {spec} has changed since `learn`; {cure}")
    return Path(note["searched"])


def _sha256(spec: str, searched: str) -> str | None:
    """The hash of the code that a generator is made by; "" if it is made by none of the user's."""
    family, _, target = spec.partition(":")
    return source_sha256(target, searched) if family == "python" else ""


def _note(run: Path) -> Path:
    return settings_folder() / "trusted" / f"{hashlib.sha256(os.fsencode(run.resolve())).hexdigest()}.json"
