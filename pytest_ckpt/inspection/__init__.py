"""What is in a checkpoint file: read from its bytes, without torch and without running anything that is in it."""

from pytest_ckpt.inspection.contents import Contents, TensorInfo, UnreadableFile
from pytest_ckpt.inspection.detecting import inspect_checkpoint
from pytest_ckpt.inspection.walking import walk

__all__ = ["Contents", "TensorInfo", "UnreadableFile", "inspect_checkpoint", "walk"]
