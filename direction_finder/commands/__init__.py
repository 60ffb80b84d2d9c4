"""Run the command line. Each verb has its own file, which is imported only when the verb is used."""

from direction_finder.commands.stopping import Stop, quietly

with quietly():
    import importlib
    import keyword
    import sys
    import unicodedata
    from collections.abc import Sequence
    from typing import Any

    import click
    from click.shell_completion import CompletionItem

    from direction_finder.commands.endings import ended
    from direction_finder.commands.printing import as_options, prepare
    from direction_finder.commands.verbs import VERBS

__all__ = ["VERBS", "as_options", "main"]


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
        """Run a verb; print an error as one line."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode, **extra)
        prepare()
        with Stop() as stop:
            try:
                check_text(sys.argv[1:] if args is None else args)
                code = super().main(args, prog_name, complete_var, False, **extra)
            except SystemExit:
                raise
            except BaseException as error:
                code = ended(error, stop)
        sys.exit(code or 0)


def check_text(arguments: Sequence[str]) -> None:
    """Raise UsageError if an argument is not plain text: it would be saved in files and printed in terminals."""
    for argument in arguments:
        if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in argument):
            raise click.UsageError(f"{argument!r}: a control character, or bytes that are not UTF-8; give plain text")


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
