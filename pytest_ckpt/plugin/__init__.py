"""What pytest loads. Hooks only translate; the work happens elsewhere.

Each module is a plugin of its own: ``-p no:pytest_ckpt.plugin.terminal`` switches just that one off.
Every module costs each start of pytest a millisecond, so ``zero_code`` and ``sharing`` come when they are needed.
"""

from __future__ import annotations

pytest_plugins = (
    "pytest_ckpt.plugin.options",
    "pytest_ckpt.plugin.fixtures",
    "pytest_ckpt.plugin.parametrization",
    "pytest_ckpt.plugin.recording",
    "pytest_ckpt.plugin.terminal",
)
