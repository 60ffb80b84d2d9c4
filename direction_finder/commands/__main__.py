"""Run the command line with `python -m direction_finder.commands`."""

from direction_finder.commands import main

main()
