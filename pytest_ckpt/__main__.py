"""``python -m pytest_ckpt`` is ``pytest-ckpt``."""

from __future__ import annotations

import sys

from pytest_ckpt.cli import main

if __name__ == "__main__":
    sys.exit(main())
