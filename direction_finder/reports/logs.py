"""Read the log of a run, and check that it is one."""

from pathlib import Path

from direction_finder.errors import InputError
from direction_finder.files import existing_file, parse_json
from direction_finder.runs.models import Entry

LARGEST = 1 << 30  # bytes; a run of a million steps writes a tenth of it


def read_log(path: Path) -> list[Entry]:
    """Return the entries of a log, without a last line that was cut short when the run was killed.

    Raises InputError for any other line that is not an entry.
    """
    if existing_file(path).stat().st_size > LARGEST:
        raise InputError(f"{path}: larger than {LARGEST >> 30} GB, which no log is")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    entries = [parse_json(line, f"{path}: line {number}", Entry) for number, line in enumerate(lines, 1)]
    for number, entry in enumerate(entries, 1):
        if "step" not in entry:
            raise InputError(f"{path}: line {number}: no step, so this is not the log of a run")
    return entries
