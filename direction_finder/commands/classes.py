"""Define `direction-finder classes`, which searches class names."""

import click

from direction_finder.class_names import known_names, search_classes
from direction_finder.commands import completion
from direction_finder.commands.paths import Text
from direction_finder.commands.printing import say
from direction_finder.errors import InputError


@click.command(epilog='Example: direction-finder classes "retriever"')
@click.argument("text", default="")
@click.option(
    "--generator",
    default="biggan-deep-128",
    type=Text(),
    shell_complete=completion.generators,
    show_default=True,
    metavar="SPEC",
    help="Generator whose classes are listed.",
)
def classes(text: str, generator: str) -> None:
    """List the classes whose name contains TEXT, with their numbers. Without TEXT, all classes are listed."""
    names = known_names(generator)
    if names is None:
        from direction_finder.generators import class_names  # imports torch, which known names do not need

        names = class_names(generator)
    indexes = search_classes(names, text)
    if not indexes:
        problem = (
            f"no class of {generator} contains {text!r}"
            if names
            else f"{generator} is unconditional: it has no classes"
        )
        raise InputError(f"{problem}; try a shorter part of the name")
    for index in indexes:
        say(f"{index:4d}  {names[index]}")
