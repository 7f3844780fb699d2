"""What pytest-ckpt has to know of the format: two functions, and an honest word on what they can do."""

from __future__ import annotations

from pytest_ckpt.formats import Format, Keeps

from .npz import load, reason_to_refuse, save

NPZ = Format(
    name="npz",
    suffix=".npz",
    save=save,
    load=load,
    # Besides values. Not the strides, nor that two tensors are one: each becomes an array of its own.
    keeps=Keeps.METADATA,
    refuses=reason_to_refuse,
)
