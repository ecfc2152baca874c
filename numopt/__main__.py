"""``python -m numopt``."""

from numopt.cli import main

if __name__ == "__main__":
    main()
