"""Three ways from numbers to integers: weights only, weights and activations, and training with both rounded."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.ao import quantization
from torch.ao.quantization import FakeQuantize, MinMaxObserver, MovingAverageMinMaxObserver, QConfig

from .model import Classifier

# Activations in seven bits: products of eight-bit numbers overflow on processors without VNNI.
SEVEN_BITS = {"quant_min": 0, "quant_max": 127}
WEIGHTS = {"dtype": torch.qint8, "qscheme": torch.per_tensor_symmetric}
OBSERVED = QConfig(activation=MinMaxObserver.with_args(**SEVEN_BITS), weight=MinMaxObserver.with_args(**WEIGHTS))
ROUNDED = QConfig(
    activation=FakeQuantize.with_args(observer=MovingAverageMinMaxObserver, **SEVEN_BITS),
    weight=FakeQuantize.with_args(observer=MovingAverageMinMaxObserver, quant_min=-128, quant_max=127, **WEIGHTS),
)


def dynamic(model: Classifier) -> nn.Module:
    """Quantize the weights of linear layers; activations are quantized anew at each call."""
    quantized: nn.Module = quantization.quantize_dynamic(model, {nn.Linear})
    return quantized


def static(model: Classifier, calibration: Tensor | None) -> nn.Module:
    """Quantize everything, activations by the range that they have on the calibration images.

    Without such images it is a skeleton, whose scales come from a file.
    """
    fused = quantization.fuse_modules(model.eval(), [["conv", "relu"]])
    fused.qconfig = OBSERVED
    observed = quantization.prepare(fused)
    observed(torch.zeros(1, 1, 8, 8) if calibration is None else calibration)
    quantized: nn.Module = quantization.convert(observed)
    return quantized


def for_training(model: Classifier) -> nn.Module:
    """Return a model that trains with its weights and activations rounded, and observes their ranges meanwhile."""
    fused = quantization.fuse_modules_qat(model.train(), [["conv", "relu"]])
    fused.qconfig = ROUNDED
    prepared: nn.Module = quantization.prepare_qat(fused)
    return prepared
