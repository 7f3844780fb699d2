"""Classes that are built, or not, and what the checks say of them: faults are found, correct code is not accused."""

# Longer than 250 lines because most of it are the classes, each read next to what is said of it.

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from package_writing import MakePackage, package_maker

from pytest_ckpt.packages import Verdict, check_class, survey
from pytest_ckpt.running import plan_checks

Check = Callable[..., Verdict]


@pytest.fixture
def make_package(tmp_path: Path) -> Iterator[MakePackage]:
    with package_maker(tmp_path) as make:
        yield make


@pytest.fixture
def check(make_package: MakePackage) -> Check:
    """Write a package and check its only class, or that of a name."""

    def check(source: str, name: str = "", formats: str | None = None) -> Verdict:
        found = [
            item
            for item in survey(make_package("import torch\n" + source)).classes
            if name == item.name or not (name or item.left_out)
        ]
        assert len(found) == 1
        return check_class(found[0], lambda run, format: plan_checks(run, steps=3, formats=formats or format))

    return check


CORRECT = {
    "a layer with widths and a nonlinearity": """
class Layer(torch.nn.Module):
    def __init__(self, in_features: int, out_features: int, dropout=0.1):
        super().__init__()
        self.linear, self.dropout = torch.nn.Linear(in_features, out_features), torch.nn.Dropout(dropout)
    def forward(self, x):
        return self.dropout(self.linear(x))
""",
    "attention over tokens, with heads that divide the width": """
class Attention(torch.nn.Module):
    def __init__(self, dim, heads, vocab_size, depth):
        super().__init__()
        assert dim % heads == 0 and dim > heads
        self.embedding = torch.nn.Embedding(vocab_size, dim)
        self.layers = torch.nn.ModuleList(torch.nn.MultiheadAttention(dim, heads) for _ in range(depth))
    def forward(self, tokens, mask=None):
        x = self.embedding(tokens)
        for layer in self.layers:
            x = x + layer(x, x, x)[0]
        return x
""",
    "a picture's channels and a buffer": """
class Conv(torch.nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size):
        super().__init__()
        self.conv = torch.nn.Conv2d(in_channels, out_channels, kernel_size)
        self.norm = torch.nn.BatchNorm2d(out_channels)
    def forward(self, img):
        assert img.ndim == 4
        return self.norm(self.conv(img))
""",
    "a parameter that only the error names": """
class Either(torch.nn.Module):
    def __init__(self, dim=None):
        super().__init__()
        if dim is None:
            raise ValueError("either dim or a config must be given")
        self.linear = torch.nn.Linear(dim, dim)
    def forward(self, x):
        return self.linear(x)
""",
    "arguments that are passed on to a base": """
class Child(torch.nn.Linear):
    def __init__(self, **others):
        super().__init__(**others)
""",
    "one that is called by keyword": """
class ByKeyword(torch.nn.Module):
    def __init__(self, *, dim):
        super().__init__()
        self.linear = torch.nn.Linear(dim, dim)
    def forward(self, *, x, y):
        return self.linear(x) + y
""",
    "a wrapper around a model": """
class Wrapper(torch.nn.Module):
    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.model, self.scale = model, torch.nn.Parameter(torch.randn(1))
    def forward(self, *args, **kwargs):
        return self.model(*args, **kwargs) * self.scale
""",
    "a wrapper that does not own the model": """
class Beside(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.models, self.scale = [model], torch.nn.Parameter(torch.randn(1))
    def forward(self, x):
        return self.models[0](x) * self.scale
""",
    "an average of a model's weights": """
import copy
class Average(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.online, self.average = model, copy.deepcopy(model).requires_grad_(False)
    def update(self):
        for mean, now in zip(self.average.parameters(), self.online.parameters()):
            mean.data.lerp_(now.data, 0.5)
    def forward(self, x):
        return self.average(x)
""",
    "a metric whose state is asked for": """
class Metric(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.kept = False
        self.register_buffer("total", torch.zeros(()), persistent=False)
    def persistent(self, mode=False):
        self.kept = mode
        if mode:
            self._non_persistent_buffers_set.discard("total")
    def update(self, preds, target):
        assert target.dtype == torch.int64
        self.total += (preds.round() == target).float().sum()
    def compute(self):
        return self.total.clone()
    def reset(self):
        self.total.zero_()
    def forward(self, *args, **kwargs):
        self.update(*args, **kwargs)
        return self.compute()
""",
    "a metric around one whose state is asked for": """
class _Metric(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.kept = False
        self.register_buffer("total", torch.zeros(()), persistent=False)
    def persistent(self, mode=False):
        self.kept = mode
        if mode:
            self._non_persistent_buffers_set.discard("total")
    def update(self, preds, target):
        assert target.dtype == torch.int64
        self.total += (preds.round() == target).float().sum()
    def compute(self):
        return self.total.clone()
    def reset(self):
        self.total.zero_()
    def forward(self, *args, **kwargs):
        self.update(*args, **kwargs)
        return self.compute()
class Around(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = _Metric()
    def update(self, preds, target):
        self.inner.update(preds, target)
    def compute(self):
        return self.inner.compute()
    def reset(self):
        self.inner.reset()
    def forward(self, preds, target):
        return self.inner(preds, target)
""",
    "an optimizer with state": """
class Momentum(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})
    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                moment = self.state[p].setdefault("moment", torch.zeros_like(p))
                p.sub_(moment.mul_(0.9).add_(p.grad), alpha=group["lr"])
""",
    "an optimizer that needs a closure and does not say so": """
class Closure(torch.optim.SGD):
    def __init__(self, params):
        super().__init__(params, lr=0.1, momentum=0.9)
    def step(self, closure=None):
        if closure is None:
            raise RuntimeError("a closure is required")
        with torch.enable_grad():
            loss = closure()
        super().step()
        return loss
""",
    "an optimizer that must be put in train mode": """
class Modes(torch.optim.SGD):
    def __init__(self, params):
        super().__init__(params, lr=0.1, momentum=0.9)
        self.mode = "eval"
    def train(self):
        self.mode = "train"
    def eval(self):
        self.mode = "eval"
    def step(self, closure=None):
        if self.mode != "train":
            raise RuntimeError("call train() first")
        super().step()
""",
    "an optimizer that wraps another": """
class Wrapping:
    def __init__(self, optimizer):
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise TypeError("an optimizer, please")
        self.optimizer = optimizer
    @property
    def param_groups(self):
        return self.optimizer.param_groups
    def step(self, closure=None):
        return self.optimizer.step(closure)
    def zero_grad(self):
        self.optimizer.zero_grad()
    def state_dict(self):
        return self.optimizer.state_dict()
    def load_state_dict(self, state):
        self.optimizer.load_state_dict(state)
""",
    "a schedule with a length": """
class Warmup(torch.optim.lr_scheduler.LambdaLR):
    def __init__(self, optimizer, warmup_steps: int, total_steps: int):
        assert warmup_steps < total_steps
        self.warmup, self.total = warmup_steps, total_steps
        super().__init__(optimizer, self.factor)
    def factor(self, step):
        return min((step + 1) / self.warmup, 1 - step / self.total)
    def state_dict(self):
        return {"last_epoch": self.last_epoch, "_last_lr": self._last_lr}
    def load_state_dict(self, state):
        self.__dict__.update(state)
""",
}


@pytest.mark.parametrize("source", CORRECT.values(), ids=CORRECT.keys())
def test_correct_class_passes(check: Check, source: str) -> None:
    verdict = check(source)

    assert (verdict.status, verdict.reason) == ("passed", "")


LOSSY = {
    "a counter on a module": (
        """
class Annealed(torch.nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.linear, self.calls = torch.nn.Linear(dim, dim), 0
    def forward(self, x):
        if self.training:
            self.calls += 1
        return self.linear(x) / (1 + self.calls)
""",
        "model.calls",
    ),
    "a tensor that is no buffer": (
        """
class RunningMean(torch.nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.linear, self.mean = torch.nn.Linear(dim, dim), torch.zeros(dim)
    def forward(self, x):
        out = self.linear(x)
        self.mean = 0.9 * self.mean + 0.1 * out.detach().flatten(0, -2).mean(0)
        return out - self.mean
""",
        "model.mean",
    ),
    "a random buffer that is not persistent": (
        """
class Projection(torch.nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.linear = torch.nn.Linear(dim, dim)
        self.register_buffer("mixing", torch.randn(dim, dim), persistent=False)
    def forward(self, x):
        return self.linear(x) @ self.mixing
""",
        "model.mixing",
    ),
    "a metric's position": (
        """
class Window(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("kept", torch.zeros(2))
        self.place = 0
    def update(self, value):
        self.kept[self.place % 2] = value.mean()
        self.place += 1
    def compute(self):
        return self.kept.mean() if self.place else torch.zeros(())
    def reset(self):
        self.kept.zero_()
    def forward(self, value):
        self.update(value)
        return value.mean()
""",
        "metric.place",
    ),
    "what only update() loses": (
        """
class Lazy(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(()))
        self.ready = False
    def update(self, value):
        if not self.ready:
            self.total, self.ready = torch.zeros(()), True
        self.total += value.mean()
    def compute(self):
        return self.total.clone()
    def reset(self):
        self.total = torch.zeros(())
    def forward(self, value):
        before = self.total
        self.reset()
        self.update(value)
        batch, self.total = self.total, self.total + before
        return batch
""",
        "metric.ready",
    ),
    "an average's count of updates": (
        """
import copy
class WarmAverage(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.online, self.average, self.updates = model, copy.deepcopy(model).requires_grad_(False), 0
    def update(self):
        self.updates += 1
        for mean, now in zip(self.average.parameters(), self.online.parameters()):
            mean.data.lerp_(now.data, 1 / (1 + self.updates))
    def forward(self, x):
        return self.average(x)
""",
        "model.updates",
    ),
    "a counter on an optimizer": (
        """
class Decaying(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})
        self.steps = 0
    @torch.no_grad()
    def step(self, closure=None):
        self.steps += 1
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(p.grad, alpha=group["lr"] / self.steps)
""",
        "optimizer.steps",
    ),
    "a schedule that does not load": (
        """
class Forgetful:
    def __init__(self, optimizer):
        self.optimizer, self.count = optimizer, 0
    def step(self):
        self.count += 1
        self.optimizer.param_groups[0]["lr"] = 0.1 / self.count
    def state_dict(self):
        return {"count": self.count}
    def load_state_dict(self, state):
        pass
""",
        "scheduler",
    ),
}


@pytest.mark.parametrize(("source", "cause"), LOSSY.values(), ids=LOSSY.keys())
def test_class_that_loses_state_fails_and_the_state_is_named(check: Check, source: str, cause: str) -> None:
    verdict = check(source)

    assert verdict.status == "failed"
    assert cause in [name for outcome in verdict.outcomes.failures for name in outcome.causes]
    assert verdict.report().startswith(f"Built as {verdict.how}.\n\n")


NOT_BUILT = {
    "a parameter that nobody knows": (
        "class Odd(torch.nn.Module):\n    def __init__(self, frobnicator): ...\n    def forward(self, x): return x",
        "no arguments known: no value is known for its parameter 'frobnicator'",
    ),
    "a constructor that raises": (
        "class Odd(torch.nn.Module):\n    def __init__(self): raise OSError('no file')\n    def forward(self, x): ...",
        "constructor raises: Odd(): OSError: no file",
    ),
    "a constructor that asks for the network": (
        "import socket\nclass Odd(torch.nn.Module):\n    def __init__(self): socket.getaddrinfo('x.invalid', 1)\n"
        "    def forward(self, x): ...",
        "constructor raises: Odd(): ConnectionRefusedError: it asks for the network",
    ),
    "a constructor that makes too much": (
        "class Odd(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.layers = [torch.empty(2**24) for _ in range(2**10)]\n    def forward(self, x): return x",
        "constructor raises: Odd(): it makes tensors of more than 50,000,000 elements",
    ),
    "an input that nobody guesses": (
        "class Odd(torch.nn.Module):\n    def forward(self, x): return x.last_hidden_state",
        "no input fits: Odd(), called with x=floats (2, 6, 8): AttributeError: 'Tensor' object has no attribute "
        "'last_hidden_state'",
    ),
    "what is infinite": (
        "class Odd(torch.nn.Module):\n    def forward(self, x): return x / 0",
        "cannot be used: Odd(), called with x=floats (2, 6, 8): NotFinite: what it returns is not finite",
    ),
    "an optimizer of a model": (
        "class Odd(torch.optim.SGD):\n    def __init__(self, model): super().__init__(model.parameters())",
        "cannot be used: Odd() of parameters: AttributeError: 'list' object has no attribute 'parameters'",
    ),
    "a forward that fails in the fourth step": (
        "class Odd(torch.nn.Module):\n    calls = 0\n    def forward(self, x):\n"
        "        self.calls += 1\n        if self.calls > 3: raise RuntimeError('enough')\n        return x",
        "cannot be used: Odd(), called with x=floats (2, 6, 8): RuntimeError: enough",
    ),
    "a state_dict() that raises": (
        "class Odd(torch.optim.SGD):\n    def state_dict(self): raise NotImplementedError('not yet')",
        "cannot be checked: Odd() of parameters: NotImplementedError: not yet",
    ),
}


@pytest.mark.parametrize(("source", "reason"), NOT_BUILT.values(), ids=NOT_BUILT.keys())
def test_what_cannot_be_built_or_called_says_why(check: Check, source: str, reason: str) -> None:
    verdict = check(source)

    assert (verdict.status, verdict.reason) == ("not built", reason)


def test_a_constructor_that_never_ends_is_stopped(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_ckpt.packages.building._SECONDS", 0.2)

    verdict = check(
        "class Odd(torch.nn.Module):\n    def __init__(self):\n        while True: pass\n    def forward(self, x): ..."
    )

    assert (verdict.status, verdict.reason) == ("not built", "constructor raises: Odd(): it took longer than 0.2 s")


def test_checks_that_never_end_are_stopped(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_ckpt.packages.checking._SECONDS", 0.05)

    verdict = check(CORRECT["a layer with widths and a nonlinearity"])

    assert verdict.status == "not built"
    assert verdict.reason.endswith("it took longer than 0.05 s")


QUEUE = """
from collections import deque
class Delayed(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})
    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                queue = self.state[p].setdefault("queue", deque([torch.zeros_like(p)]))
                queue.append(p.grad.clone())
                p.sub_(queue.popleft(), alpha=group["lr"])
"""


def test_what_only_a_full_pickle_keeps_is_checked_with_one(check: Check) -> None:
    verdict = check(QUEUE)

    assert verdict.status == "passed"
    assert {outcome.format for outcome in verdict.outcomes} == {"torch-full"}


def test_a_format_that_was_asked_for_and_refuses_is_the_reason(check: Check) -> None:
    verdict = check(QUEUE, formats="torch")

    assert verdict.status == "not built"
    assert verdict.reason.startswith("cannot be kept: weights_only loading refuses collections.deque at ")


STATELESS = "class Double(torch.nn.Module):\n    def forward(self, x): return 2 * x"
RANDOM = """
import os
class Noise(torch.nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.linear = torch.nn.Linear(dim, dim)
    def forward(self, x):
        torch.manual_seed(int.from_bytes(os.urandom(4), "big"))
        return self.linear(x) + torch.randn_like(x)
"""


@pytest.mark.parametrize(
    ("source", "status", "reason"),
    [
        (STATELESS, "vacuous", "neither training nor another seed changes any state of it, so none could be lost"),
        (RANDOM, "undecidable", "Training is not deterministic: two runs that never stopped differ already."),
    ],
)
def test_nothing_to_lose_or_to_decide_is_no_pass_and_no_failure(
    check: Check, source: str, status: str, reason: str
) -> None:
    verdict = check(source)

    assert (verdict.status, verdict.reason) == (status, reason)


def test_a_part_that_a_class_of_the_package_makes_is_built_as_well(check: Check) -> None:
    source = """
class Encoder(torch.nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.linear, self.dim = torch.nn.Linear(dim, dim), dim
    def forward(self, x):
        return self.linear(x)

class Classifier(torch.nn.Module):
    def __init__(self, encoder: Encoder, num_classes: int):
        super().__init__()
        self.encoder, self.head = encoder, torch.nn.Linear(encoder.dim, num_classes)
    def forward(self, x):
        return self.head(self.encoder(x))
"""
    verdict = check(source, "Classifier")

    assert verdict.status == "passed"
    assert verdict.how == "Classifier(encoder=Encoder(dim=8), num_classes=3), called with x=floats (2, 6, 8)"
