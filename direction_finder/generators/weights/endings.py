"""Find bytes that follow the end of a torch file, which readers ignore."""

import zipfile
from pathlib import Path

import torch

from direction_finder.errors import InputError

OLD = b"\x80\x02"  # start of torch files before version 1.6
RECORD, MARK = 22, b"PK\x05\x06"  # length and start of the last record of a zip archive without comment


def check_end(path: Path) -> None:
    """Raise InputError if a file that could be read as weights goes on after what `torch.save` wrote."""
    with path.open("rb") as file:
        head = file.read(2)
        size = file.seek(0, 2)
        if zipfile.is_zipfile(path):
            file.seek(-RECORD, 2)
            whole = file.read(4) == MARK
        elif head == OLD:
            file.seek(0)
            torch.load(file, map_location="cpu", weights_only=True)
            whole = file.tell() == size
        else:  # the readers of other kinds check their ends
            whole = True
    if not whole:
        raise InputError(f"{path}: goes on after the end of the weights; the file is damaged, download it again")
