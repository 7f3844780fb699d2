"""Whether Hypothesis is running an example for the last time, to show it."""

from __future__ import annotations

__all__ = ["is_final"]


def is_final() -> bool:
    """Return whether what is raised now will be read; true where this Hypothesis does not tell."""
    try:
        from hypothesis.control import current_build_context  # not public, and there is no other way to ask

        return bool(current_build_context().is_final)
    except Exception:
        return True
