"""Three ways to save two players that are not the players which go on, one method each."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from .networks import NOISE
from .train import Gan
from .training_run import make_run


class PublishedGan(Gan):
    """Saves what draws samples. After a resume the generator plays against a beginner."""

    def parts(self) -> dict[str, Any]:
        return {name: part for name, part in super().parts().items() if name.startswith("generator")}


class CuriousGan(Gan):
    """Looks at new samples at each save, and draws the random numbers that the next step would have had."""

    def samples(self) -> Tensor:
        self.fixed_noise = torch.randn(8, NOISE)
        return super().samples()


class ForgetfulGan(Gan):
    """Takes new noise for its samples after a resume: those of before and after it cannot be compared."""

    def load(self, path: Any) -> None:
        super().load(path)
        self.fixed_noise = torch.randn_like(self.fixed_noise, generator=torch.Generator().manual_seed(0))


published, curious, forgetful = (partial(make_run, gan) for gan in (PublishedGan, CuriousGan, ForgetfulGan))
