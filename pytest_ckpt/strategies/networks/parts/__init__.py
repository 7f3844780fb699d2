"""The modules that drawn modules are made of, besides torch's own."""

from pytest_ckpt.strategies.networks.parts.foreign import FirstOutput, WithOwnInputs
from pytest_ckpt.strategies.networks.parts.reparametrised import OLD_STYLE, old_spectral_norm, old_weight_norm
from pytest_ckpt.strategies.networks.parts.stateful import (
    Affine,
    Counted,
    Offsets,
    RunningCentre,
    Scales,
    Versioned,
    WarmedUp,
)
from pytest_ckpt.strategies.networks.parts.tied import TiedLayers, TiedTokens
from pytest_ckpt.strategies.networks.parts.wrappers import (
    AttendToItself,
    Branches,
    ChannelsFirst,
    InDtype,
    OutputsOnly,
    Residual,
    Stack,
    channels_last,
    frozen,
)

__all__ = [
    "OLD_STYLE",
    "Affine",
    "AttendToItself",
    "Branches",
    "ChannelsFirst",
    "Counted",
    "FirstOutput",
    "InDtype",
    "Offsets",
    "OutputsOnly",
    "Residual",
    "RunningCentre",
    "Scales",
    "Stack",
    "TiedLayers",
    "TiedTokens",
    "Versioned",
    "WarmedUp",
    "WithOwnInputs",
    "channels_last",
    "frozen",
    "old_spectral_norm",
    "old_weight_norm",
]
