"""The kinds of layers that modules are drawn from, the simplest first: that is where draws shrink to."""

from pytest_ckpt.strategies.networks.layers import (
    convolutions,
    custom,
    dense,
    elementwise,
    embeddings,
    norms,
    reparametrised,
    reshaping,
    sequences,
    structure,
)

__all__ = ["BUILT_IN_KINDS"]

BUILT_IN_KINDS = (
    *dense.KINDS,
    *convolutions.KINDS,
    *embeddings.KINDS,
    *elementwise.KINDS,
    *norms.KINDS,
    *sequences.KINDS,
    *custom.KINDS,
    *structure.KINDS,
    *reparametrised.KINDS,
    *reshaping.KINDS,
)
