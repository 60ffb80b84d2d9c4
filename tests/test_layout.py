"""Imports point one way. The table is the one of CONTRIBUTING.md."""

import ast
import statistics
import subprocess
import sys
from pathlib import Path

from direction_finder import diagonalisation, orthogonal, settings
from direction_finder.commands.scenes import TEXTS
from direction_finder.discovery import METHODS, configs
from direction_finder.generators.networks import dcgan
from direction_finder.reports.measures import METRICS
from direction_finder.scenes import KINDS

PACKAGE = Path(__file__).parent.parent / "direction_finder"
ROWS = [
    {"errors", "lazy", "numerals", "progress", "randomness", "version"},
    {"class_names", "files", "settings"},
    {"locks", "torch_files", "torchrun"},
    {"tensor_files"},
    {"overwriting", "curves"},
    {"dataset_tables", "direction", "directions_check", "directions_file", "idx", "samples"},
    {"directions"},
    {"rotations", "joint_walks"},
    {
        "penalty",
        "bending",
        "orthogonal",
        "cayley_adam",
        "hessians",
        "diagonalisation",
        "parallel",
        "resumable",
        "stacks",
        "datasets",
        "edits",
        "images",
        "figures",
    },
    {"generators", "recipes"},
    {"discovery", "metrics", "training", "scenes", "interop"},
    {"rendering", "runs"},
    {"reports"},
    {"sweeps"},
    {"commands"},
]
ROW_OF = {name: row for row, names in enumerate(ROWS) for name in names}
# workers of `parallel` leave Ctrl-C to the process that began them
ONLY_IN = {"click": {"commands"}, "signal": {"commands", "parallel"}, "tqdm": {"progress"}}


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


def test_only_commands_print_know_click_or_catch_signals_and_only_progress_draws_bars():
    for room, path in rooms():
        for package, owners in ONLY_IN.items():
            assert room in owners or package not in {module.split(".")[0] for module in imports(path)}, path
        if room == "commands":
            continue
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
    assert tuple(METRICS) == settings.METRICS
    assert set(TEXTS) == set(KINDS)


def modules() -> dict[str, Path]:
    """Every module of the package by its full name."""
    names = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for name, path in names.items()}


def needed(node: ast.AST) -> set[str]:
    """Modules imported below a node, but for those that only a type checker reads."""
    found = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.ImportFrom) and child.module:
            found |= {child.module, *(f"{child.module}.{alias.name}" for alias in child.names)}
        found |= needed(child)
    return found


def test_no_module_needs_itself():
    """No cycles, imports inside functions included."""
    known = modules()
    left = {name: needed(ast.parse(path.read_text())) & known.keys() - {name} for name, path in known.items()}
    for name, others in left.items():  # a module's name is enough: its package is imported on the way
        left[name] = {other for other in others if not any(more.startswith(f"{other}.") for more in others)}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert not left


def test_commands_are_small_and_so_is_everything_else():
    lines = {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert sum(n for path, n in lines.items() if "commands" in path.parts) < 0.15 * sum(lines.values())
    assert max(lines.values()) <= 300 and statistics.median(lines.values()) <= 110
    functions = [
        node.end_lineno - node.lineno + 1
        for path in lines
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    assert sum(n < 30 for n in functions) >= 0.95 * len(functions)
