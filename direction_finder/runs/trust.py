"""Decide which code and downloads a run folder may use, from notes that are saved outside the folder.

A run folder or a directions file may come from anybody, and the generator it names may be code (`python:`) or a
download. Neither is used unless the user names it on this command line, or named it when this folder was made.
"""

import hashlib
import os
from pathlib import Path

from direction_finder.errors import InputError
from direction_finder.files import read_json, settings_folder, write_json
from direction_finder.generators import consequence
from direction_finder.generators.python import source_sha256
from direction_finder.runs.models import Note


def remember(run: Path, spec: str | None) -> None:
    """Record that this run folder may use the generator `spec`, which the user named on the command line."""
    if not spec or not consequence(spec, nothing_is_here=True):
        return
    searched = os.getcwd()
    note = {"run": str(run.resolve()), "spec": spec, "searched": searched, "sha256": _sha256(spec, searched)}
    write_json(_note(run), note)


def searched_folder(run: Path, spec: str) -> Path | None:
    """Return the folder to search for the modules of a generator, if files in `run` may use that generator.

    Returns None if the generator needs no permission. Raises InputError if it is not allowed; the message says what
    would happen and how to allow it.
    """
    effect = consequence(spec)
    if effect is None:
        return None
    path = _note(run)
    note = read_json(path, Note) if path.is_file() else {}
    advice = f"if you trust it, name it yourself: --generator {spec}"
    if note.get("spec") != spec:
        raise InputError(f"{run}: asks for generator {spec}, which {effect}, and was not made by you; {advice}")
    if note["sha256"] != _sha256(spec, note["searched"]):
        raise InputError(f"{run}: the code of {spec} has changed since `learn`; {advice}")
    return Path(note["searched"])


def _sha256(spec: str, searched: str) -> str | None:
    """Return the hash of the user's code that makes a generator; "" if no such code is involved."""
    family, _, target = spec.partition(":")
    return source_sha256(target, searched) if family == "python" else ""


def _note(run: Path) -> Path:
    return settings_folder() / "trusted" / f"{hashlib.sha256(os.fsencode(run.resolve())).hexdigest()}.json"
