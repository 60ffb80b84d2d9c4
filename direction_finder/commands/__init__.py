"""Run the command line. Each verb has its own file, which is imported only when the verb is used."""

import importlib
import keyword
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from direction_finder.errors import DirectionFinderError, out_of_memory

VERBS = {
    "learn": "Find directions in a generator.",
    "rank": "List the directions that matter, and why.",
    "name": "Give a direction a name.",
    "render": "Render grids and videos of a run's directions.",
    "align": "Set many samples to one value along a direction.",
    "edit": "Apply several edits; save and replay them as a recipe.",
    "measure": "Measure directions and generators with numbers and figures.",
    "train": "Train a generator on images.",
    "finetune": "Fine-tune a ProGAN with the Hessian Penalty.",
    "scenes": "Render data sets with known factors.",
    "import": "Create a run from another tool's matrix of directions.",
    "export": "Write a run's directions as a matrix for other tools.",
    "page": "Write one HTML page with everything in a run.",
    "classes": "Search a generator's class names.",
    "info": "Describe any file or run: what it is, how it was made and what is wrong with it.",
}


class Verbs(click.Group):
    """Import a verb (and torch with it) when it is called; turn user errors into one line and exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of `--help`."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command of a verb; None if there is no such verb."""
        if cmd_name not in VERBS:
            return None
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        return getattr(importlib.import_module(f"direction_finder.commands.{name}"), name)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the verbs that complete a word, without importing them."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(verb, help=text) for verb, text in VERBS.items() if verb.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a verb, and print an expected error as one line."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode, **extra)
        try:
            sys.exit(super().main(args, prog_name, complete_var, False, **extra) or 0)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.ctx.get_help())
            sys.exit(0)
        except click.UsageError as error:
            hint = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
            fail(error.format_message() + hint)
        except click.ClickException as error:
            fail(error.format_message())
        except DirectionFinderError as error:
            fail(str(error))
        except (click.Abort, KeyboardInterrupt):  # Abort is a RuntimeError
            click.echo("Stopped.", err=True)
            sys.exit(130)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            fail(f"{str(error).splitlines()[0]}; lower --max-batch")
        except BrokenPipeError:  # the reader of our output has closed it, e.g. `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except OSError as error:
            text = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
            fail(f"{text}; no file was left incomplete")


def fail(message: str) -> None:
    """Print an error as one line and exit with code 2."""
    click.echo(f"Error: {as_options(' '.join(message.split()))}", err=True)
    sys.exit(2)


def as_options(message: str) -> str:
    """Return a message of the library with settings, which are in backticks, written as options."""

    def option(match: re.Match) -> str:
        return match[0] if match[1] in VERBS else f"--{match[1].replace('_', '-')}"

    return re.sub(r"`([a-z]+(?:_[a-z]+)*)`", option, message)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="direction-finder", prog_name="direction-finder")
def main() -> None:
    """Find, render and apply directions in the latent space of a pretrained GAN.

    Each command has a --help with an example. For a first run:

    \b
    direction-finder learn --generator shapes-64 --class cube
    direction-finder rank latest
    direction-finder render grid latest
    """
