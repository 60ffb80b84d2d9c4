"""What setup.cfg lists by hand agrees with the folders; `tests/wheel.py` tries the wheel itself."""

import configparser
from fnmatch import fnmatch
from pathlib import Path

import direction_finder

ROOT = Path(__file__).parent.parent
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")


def test_every_folder_of_code_is_in_the_wheel():
    folders = {path.parent for path in (ROOT / "direction_finder").rglob("*.py")}
    packages = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert len(packages) > 8
    listed = SETUP["options"]["packages"].split()
    assert len(set(listed)) == len(listed)
    assert set(listed) == packages | {"direction_finder.checkpoints"}


def test_every_other_file_is_in_the_wheel():
    data = {package: patterns.split(", ") for package, patterns in SETUP["options.package_data"].items()}
    for path in (ROOT / "direction_finder").rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            package = ".".join(path.parent.relative_to(ROOT).parts)
            assert any(fnmatch(path.name, pattern) for pattern in data.get(package, [])), path


def test_the_version_is_the_one_of_setup_cfg():
    assert direction_finder.__version__ == SETUP["metadata"]["version"]
