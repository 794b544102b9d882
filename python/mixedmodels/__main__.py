"""`python -m mixedmodels`; see `command_line/main.py`."""

from __future__ import annotations

import sys

from .command_line.main import main

if __name__ == "__main__":
    sys.exit(main())
