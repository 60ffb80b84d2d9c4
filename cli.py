"""`python cli.py ...` is `direction-finder ...` without installing the command."""

from direction_finder.commands import main

if __name__ == "__main__":
    main()
