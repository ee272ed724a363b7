"""`python -m evaluation.compare-definitions`: `python -m evaluation.definitions` by its longer name."""

import sys

from evaluation.definitions import main

if __name__ == "__main__":
    sys.exit(main())
