"""Define `direction-finder info`, which describes a file, a run or a generator."""

import json

import click

from direction_finder.commands.paths import Text
from direction_finder.commands.printing import say, say_json
from direction_finder.reports.describing import describe


@click.command(epilog="Example: direction-finder info outputs/00001-hessian-eyes-blue")
@click.argument("target", type=Text())
@click.option("--check", is_flag=True, help="Read the tensors of a run too, not only their headers.")
@click.option("--json", "as_json", is_flag=True, help="Print the description as JSON.")
def info(target: str, check: bool, as_json: bool) -> None:
    """Describe what TARGET is, how it was made and what is wrong with it.

    TARGET is a run folder (or "latest"), a directions file, a data set, a file of samples, or a recipe. It may also be
    an image or video that this package made, a generator's weights, folder or name, a factor network, or a matrix of
    directions.
    """
    facts = describe(target, check=check)
    if as_json:
        say_json(facts)
        return
    for key, value in facts.items():
        if key != "problems":
            say(f"{key + ':':18} {value if isinstance(value, str) else json.dumps(value)}")
    for problem in facts["problems"] or ["none found"]:
        say(f"{'problem:' if facts['problems'] else 'problems:':18} {problem}")
