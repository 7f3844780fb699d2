"""What pytest loads. Hooks only translate; the work happens elsewhere.

Each module is a plugin of its own: ``-p no:pytest_ckpt.plugin.terminal`` switches just that one off.
"""

from __future__ import annotations

pytest_plugins = (
    "pytest_ckpt.plugin.options",
    "pytest_ckpt.plugin.fixtures",
    "pytest_ckpt.plugin.parametrization",
    "pytest_ckpt.plugin.zero_code",
    "pytest_ckpt.plugin.sharing",
    "pytest_ckpt.plugin.recording",
    "pytest_ckpt.plugin.terminal",
)
