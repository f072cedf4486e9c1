"""`python -m processor.cli` is `linernotes`."""

from processor.cli import main

if __name__ == "__main__":
    main()
