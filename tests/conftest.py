"""In-process pytester forgets the modules that were first imported inside it, and torch refuses some a second time.

The first ``optimizer.step()`` imports ``torch._dynamo``, which registers C++ libraries: "Only a single
TORCH_LIBRARY can be used to register the namespace". Imported here, it is never forgotten.
"""

from __future__ import annotations

import torch._dynamo  # noqa: F401
