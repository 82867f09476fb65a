"""The command line as `python -m flashlite`."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="flashlite")
