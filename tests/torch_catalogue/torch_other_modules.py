"""The modules of ``torch.nn`` that torch's own database leaves out, and those that change other modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

__all__ = ["ABSTRACT", "OTHER_MODULES", "Recipe"]

ABSTRACT = {"Module", "Container", "NLLLoss2d", "RNNBase", "RNNCellBase", "LinearCrossEntropyOptions"}
"""What ``torch.nn.modules`` exports and nobody trains: bases, deprecated names, a class of options."""


class Recipe(NamedTuple):
    """How to make a module, and what it is called with; without inputs it is saved as it is made."""

    make: Callable[[], nn.Module]
    inputs: Callable[[], tuple[Tensor, ...]] | None


class Parts(nn.Module):
    """Holds parts in a container that has no ``forward``."""

    def __init__(self, parts: nn.Module) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, batch: Tensor) -> Tensor:
        """Return the sum of what the parts make of the batch."""
        parts: Any = self.parts
        parts = parts.values() if isinstance(parts, nn.ModuleDict | nn.ParameterDict) else parts
        return torch.stack([batch @ part if isinstance(part, Tensor) else part(batch) for part in parts]).sum(dim=0)


class Unpooling(nn.Module):
    """Undoes a pooling, which has to say where its values were."""

    def __init__(self, pool: nn.Module, unpool: nn.Module) -> None:
        super().__init__()
        self.pool, self.unpool = pool, unpool

    def forward(self, batch: Tensor) -> Any:
        """Return a batch of the same shape."""
        return self.unpool(*self.pool(batch))


class Doubled(nn.Module):
    """A parametrization with a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def forward(self, weight: Tensor) -> Tensor:
        """Return what the layer uses as its weight."""
        return weight * self.factor


def _floats(*shapes: tuple[int, ...]) -> Callable[[], tuple[Tensor, ...]]:
    return lambda: tuple(torch.randn(shape) for shape in shapes)


def _classes(shape: tuple[int, ...], classes: int) -> Callable[[], tuple[Tensor, ...]]:
    return lambda: (torch.randn(shape), torch.randint(classes, shape[:1]))


def _bags() -> tuple[Tensor, ...]:
    return torch.randint(6, (3, 4)), torch.randn(3, 4)


def _pruned() -> nn.Module:
    layer = nn.Linear(4, 3)
    prune.l1_unstructured(layer, "weight", amount=0.5)
    return layer


def _parametrized() -> nn.Module:
    layer = nn.Linear(4, 3)
    parametrize.register_parametrization(layer, "weight", Doubled())
    return layer


def _averaged() -> nn.Module:
    return AveragedModel(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), use_buffers=True)


def _moving_average() -> nn.Module:
    return AveragedModel(nn.Linear(4, 3), multi_avg_fn=get_ema_multi_avg_fn(0.9))


_image, _line, _box, _rows = _floats((2, 4, 6, 6)), _floats((2, 4, 6)), _floats((2, 4, 4, 4, 4)), _floats((3, 4))


OTHER_MODULES: Mapping[str, Recipe] = {
    "AdaptiveLogSoftmaxWithLoss": Recipe(lambda: nn.AdaptiveLogSoftmaxWithLoss(16, 10, [3, 6]), _classes((3, 16), 10)),
    "AlphaDropout": Recipe(nn.AlphaDropout, _rows),
    "ChannelShuffle": Recipe(lambda: nn.ChannelShuffle(2), _image),
    "CosineSimilarity": Recipe(nn.CosineSimilarity, _floats((3, 4), (3, 4))),
    "CrossMapLRN2d": Recipe(lambda: nn.CrossMapLRN2d(3), _image),
    "Dropout": Recipe(nn.Dropout, _rows),
    "Dropout1d": Recipe(nn.Dropout1d, _line),
    "Dropout2d": Recipe(nn.Dropout2d, _image),
    "Dropout3d": Recipe(nn.Dropout3d, _box),
    "EmbeddingBag": Recipe(lambda: nn.EmbeddingBag(6, 3, mode="sum", padding_idx=0), lambda: _bags()[:1]),
    "FeatureAlphaDropout": Recipe(nn.FeatureAlphaDropout, _image),
    "Flatten": Recipe(nn.Flatten, _image),
    "Fold": Recipe(lambda: nn.Fold((4, 4), 2), _floats((1, 8, 9))),
    "Hardsigmoid": Recipe(nn.Hardsigmoid, _rows),
    "Identity": Recipe(nn.Identity, _rows),
    "LazyBatchNorm1d": Recipe(nn.LazyBatchNorm1d, _line),
    "LazyBatchNorm2d": Recipe(nn.LazyBatchNorm2d, _image),
    "LazyBatchNorm3d": Recipe(nn.LazyBatchNorm3d, _box),
    "LazyInstanceNorm1d": Recipe(lambda: nn.LazyInstanceNorm1d(affine=True, track_running_stats=True), _line),
    "LazyInstanceNorm2d": Recipe(lambda: nn.LazyInstanceNorm2d(affine=True), _image),
    "LazyInstanceNorm3d": Recipe(lambda: nn.LazyInstanceNorm3d(affine=True), _box),
    "LazyLinear": Recipe(lambda: nn.LazyLinear(3), _rows),
    "MaxUnpool1d": Recipe(lambda: Unpooling(nn.MaxPool1d(2, return_indices=True), nn.MaxUnpool1d(2)), _line),
    "MaxUnpool2d": Recipe(lambda: Unpooling(nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)), _image),
    "MaxUnpool3d": Recipe(lambda: Unpooling(nn.MaxPool3d(2, return_indices=True), nn.MaxUnpool3d(2)), _box),
    "ModuleDict": Recipe(lambda: Parts(nn.ModuleDict({"b": nn.Linear(4, 3), "a": nn.Linear(4, 3)})), _rows),
    "ModuleList": Recipe(lambda: Parts(nn.ModuleList(nn.Linear(4, 3) for _ in range(2))), _rows),
    "PairwiseDistance": Recipe(nn.PairwiseDistance, _floats((3, 4), (3, 4))),
    "ParameterDict": Recipe(lambda: Parts(nn.ParameterDict({"b": torch.randn(4, 3), "a": torch.randn(4, 3)})), _rows),
    "ParameterList": Recipe(lambda: Parts(nn.ParameterList(torch.randn(4, 3) for _ in range(2))), _rows),
    "PixelShuffle": Recipe(lambda: nn.PixelShuffle(2), _image),
    "PixelUnshuffle": Recipe(lambda: nn.PixelUnshuffle(2), _image),
    "RReLU": Recipe(nn.RReLU, _rows),
    "Sequential": Recipe(lambda: nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.BatchNorm1d(4)), _rows),
    "SyncBatchNorm": Recipe(lambda: nn.SyncBatchNorm(4), None),  # trains on accelerators only
    "TransformerDecoder": Recipe(
        lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 8, batch_first=True), 2),
        _floats((2, 3, 4), (2, 5, 4)),
    ),
    "TripletMarginLoss": Recipe(nn.TripletMarginLoss, _floats((3, 4), (3, 4), (3, 4))),
    "TripletMarginWithDistanceLoss": Recipe(
        partial(nn.TripletMarginWithDistanceLoss, distance_function=nn.PairwiseDistance()),
        _floats((3, 4), (3, 4), (3, 4)),
    ),
    "Unflatten": Recipe(lambda: nn.Unflatten(1, (2, 2)), _rows),
    "Unfold": Recipe(lambda: nn.Unfold(2), _image),
    "Upsample": Recipe(lambda: nn.Upsample(scale_factor=2), _image),
    "UpsamplingBilinear2d": Recipe(lambda: nn.UpsamplingBilinear2d(scale_factor=2), _image),
    "UpsamplingNearest2d": Recipe(lambda: nn.UpsamplingNearest2d(scale_factor=2), _image),
    "utils.weight_norm": Recipe(lambda: nn.utils.weight_norm(nn.Linear(4, 3)), _rows),
    "utils.spectral_norm": Recipe(lambda: nn.utils.spectral_norm(nn.Linear(4, 3)), _rows),
    "utils.prune": Recipe(_pruned, _rows),
    "utils.parametrize": Recipe(_parametrized, _rows),
    "utils.parametrizations.weight_norm": Recipe(lambda: parametrizations.weight_norm(nn.Linear(4, 3)), _rows),
    "utils.parametrizations.spectral_norm": Recipe(lambda: parametrizations.spectral_norm(nn.Linear(4, 3)), _rows),
    "utils.parametrizations.orthogonal": Recipe(lambda: parametrizations.orthogonal(nn.Linear(4, 3)), _rows),
    "AveragedModel": Recipe(_averaged, _rows),
    "AveragedModel of a moving average": Recipe(_moving_average, _rows),
}
