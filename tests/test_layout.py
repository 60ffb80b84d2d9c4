"""Imports point one way. The table is the one of CONTRIBUTING.md."""

import ast
import subprocess
import sys
from pathlib import Path

from direction_finder import diagonalisation, orthogonal, settings
from direction_finder.commands.measures import ALL
from direction_finder.commands.scenes import TEXTS
from direction_finder.discovery import METHODS, configs
from direction_finder.generators.networks import dcgan
from direction_finder.scenes import KINDS

PACKAGE = Path(__file__).parent.parent / "direction_finder"
ROWS = [
    {"errors"},
    {"class_names", "files", "progress", "randomness", "settings", "version"},
    {"directions"},
    {
        "penalty",
        "orthogonal",
        "cayley_adam",
        "hessians",
        "diagonalisation",
        "parallel",
        "datasets",
        "edits",
        "pictures",
        "figures",
    },
    {"generators"},
    {"discovery", "metrics", "training", "scenes"},
    {"explorer"},
    {"commands"},
]
ROW_OF = {name: row for row, names in enumerate(ROWS) for name in names}
ONLY_IN_COMMANDS = {"click", "tqdm"}


def imports(path: Path) -> set[str]:
    """Modules imported anywhere in a file, inside functions included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms() -> list[tuple[str, Path]]:
    files = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]
    return [(path.relative_to(PACKAGE).parts[0].removesuffix(".py"), path) for path in files]


def test_every_room_has_a_row():
    assert len(rooms()) > 20
    assert {room for room, _ in rooms()} <= set(ROW_OF)


def test_imports_point_to_lower_rows_only():
    for room, path in rooms():
        for module in imports(path):
            parts = module.split(".")
            if parts[0] != "direction_finder" or len(parts) < 2 or parts[1] == room:
                continue
            other = parts[1]
            assert ROW_OF[other] < ROW_OF[room], f"{path} imports {module}"


def test_only_commands_print_or_know_click():
    for room, path in rooms():
        if room == "commands":
            continue
        assert not {module.split(".")[0] for module in imports(path)} & ONLY_IN_COMMANDS, path
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        assert not [call for call in calls if isinstance(call, ast.Name) and call.id == "print"], path


def test_networks_are_bare():
    own = "direction_finder.generators.networks."
    for path in (PACKAGE / "generators" / "networks").glob("*.py"):
        ours = [module for module in imports(path) if module.startswith("direction_finder")]
        assert all(module.startswith(own) for module in ours), path


def test_the_global_seed_is_never_touched():
    for room, path in rooms():
        assert room == "randomness" or "manual_seed(" not in path.read_text(), path


def test_verbs_need_no_torch_until_they_run():
    """`--help` and completion answer at once: what a verb does lies in commands/actions."""
    code = (
        "import importlib, sys\nfrom direction_finder.commands import VERBS, main\nimport click\n"
        "for verb in VERBS: main.get_command(click.Context(main), verb)\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_names_that_options_offer_are_those_of_the_tables():
    assert tuple(diagonalisation.SOLVERS) == configs.SOLVERS
    assert tuple(orthogonal.PARAMETRISATIONS) == configs.PARAMETRISATIONS
    assert tuple(configs.CONFIGS) == tuple(METHODS)
    assert tuple(dcgan.ACTIVATIONS) == settings.ACTIVATIONS
    assert tuple(dcgan.OUTPUTS) == settings.OUTPUTS
    assert tuple(ALL) == settings.METRICS
    assert set(TEXTS) == set(KINDS)
