"""A checkpoint with one thing in it changed: read, edited and written back in the format it has.

What a test's own run has just written is read with the whole of pickle. That is as safe as the test itself,
which is about to load the same file; a checkpoint from elsewhere is read with ``trusted=False``.
"""

from pytest_ckpt.editing.codec import Codec
from pytest_ckpt.editing.content import Document, read_checkpoint, read_saved
from pytest_ckpt.editing.edits import Edit, casts, drops, renames, reshapes
from pytest_ckpt.editing.optimizers import foreign_optimizers, other_parameter_order

__all__ = [
    "Codec",
    "Document",
    "Edit",
    "casts",
    "drops",
    "foreign_optimizers",
    "other_parameter_order",
    "read_checkpoint",
    "read_saved",
    "renames",
    "reshapes",
]
