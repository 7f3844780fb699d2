"""Good programs: stopped and started again, each is the same run."""

from __future__ import annotations

import copy
import json
import random
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from zoo_parts import batch, fit, mlp

from pytest_ckpt import TrainingRun


def plain_functions() -> TrainingRun:
    model = mlp(nn.Dropout(0.3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    return TrainingRun(
        components={"model": model, "optimizer": optimizer},
        step=lambda i: fit(model, optimizer, batch(i)),
        predict=lambda: model(batch(-1)),
    )


class Trainer:
    """As most programs are: a class with its own save and load, noise from the global generator."""

    def __init__(self) -> None:
        self.model = mlp(nn.Dropout(0.2))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.02)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=8)

    def train_step(self, i: int) -> float:
        loss = fit(self.model, self.optimizer, torch.randn(8, 4))
        self.scheduler.step()
        return loss

    def save(self, path: Path) -> None:
        parts = {name: part.state_dict() for name, part in vars(self).items()}
        torch.save({**parts, "random": torch.get_rng_state()}, path)

    def load(self, path: Path) -> None:
        checkpoint = torch.load(path)
        for name, part in vars(self).items():
            part.load_state_dict(checkpoint[name])
        torch.set_rng_state(checkpoint["random"])


def trainer_with_its_own_files() -> TrainingRun:
    trainer = Trainer()
    return TrainingRun(
        components=vars(trainer),
        step=trainer.train_step,
        save=trainer.save,
        load=trainer.load,
        predict=lambda: trainer.model(batch(-1)),
    )


def made_on_a_device(device: str = "cpu") -> TrainingRun:
    model = mlp(nn.Dropout(0.3)).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

    def save(path: Path) -> None:
        devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        random_state = [torch.get_rng_state(), *devices]
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "random": random_state}, path)

    def load(path: Path) -> None:
        state = torch.load(path, map_location="cpu")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"][0])
        for index, saved in enumerate(state["random"][1 : 1 + torch.cuda.device_count()]):
            torch.cuda.set_rng_state(saved, index)

    return TrainingRun(
        components={"model": model, "optimizer": optimizer},
        step=lambda i: fit(model, optimizer, batch(i).to(device)),
        save=save,
        load=load,
    )


def trainer_object() -> Trainer:
    return Trainer()


def bare_module() -> nn.Module:
    return mlp()


def mapping_of_parts() -> dict[str, Any]:
    model = mlp()
    return {"model": model, "optimizer": torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)}


def sgd_without_state() -> TrainingRun:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return TrainingRun(
        components={"model": model, "optimizer": optimizer}, step=lambda i: fit(model, optimizer, batch(i))
    )


def gan() -> TrainingRun:
    generator, critic = nn.Linear(3, 4), nn.Sequential(nn.Linear(4, 6), nn.LeakyReLU(), nn.Linear(6, 1))
    optimizers = [torch.optim.Adam(m.parameters(), lr=0.01, betas=(0.5, 0.9)) for m in (generator, critic)]
    schedulers = [torch.optim.lr_scheduler.StepLR(optimizer, 2) for optimizer in optimizers]

    def step(i: int) -> tuple[torch.Tensor, torch.Tensor]:
        fake = generator(torch.randn(8, 3))
        critic_loss = nn.functional.softplus(critic(fake.detach()) - critic(batch(i))).mean()
        optimizers[1].zero_grad()
        critic_loss.backward()
        optimizers[1].step()
        generator_loss = nn.functional.softplus(-critic(fake)).mean()  # leaves gradients in the critic
        optimizers[0].zero_grad()
        generator_loss.backward()
        optimizers[0].step()
        for scheduler in schedulers:
            scheduler.step()
        return critic_loss, generator_loss

    components: dict[str, Any] = {"generator": generator, "critic": critic}
    components |= {f"optimizer_{i}": item for i, item in enumerate(optimizers)}
    components |= {f"scheduler_{i}": item for i, item in enumerate(schedulers)}
    return TrainingRun(components=components, step=step)


def accumulated_gradients() -> TrainingRun:
    """Every step is one backward pass; the weights move at every third, so most checkpoints hold gradients."""
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def step(i: int) -> float:
        loss = model(batch(i)).square().mean()
        (loss / 3).backward()
        if i % 3 == 2:
            optimizer.step()
            optimizer.zero_grad()
        return float(loss)

    def save(path: Path) -> None:
        gradients = [parameter.grad for parameter in model.parameters()]
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "gradients": gradients}, path)

    def load(path: Path) -> None:
        checkpoint = torch.load(path)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        for parameter, gradient in zip(model.parameters(), checkpoint["gradients"], strict=True):
            parameter.grad = gradient

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def lbfgs() -> TrainingRun:
    model = nn.Linear(4, 2)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)

    def step(i: int) -> torch.Tensor:
        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss: torch.Tensor = (model(batch(0)) - batch(1, 8, 2)).square().mean()
            loss.backward()
            return loss

        return optimizer.step(closure)  # type: ignore[no-any-return]

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)


def averaged_weights() -> TrainingRun:
    model = mlp()
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(i: int) -> float:
        loss = fit(model, optimizer, batch(i))
        average.update_parameters(model)
        return loss

    components = {"model": model, "average": average, "optimizer": optimizer}
    return TrainingRun(components=components, step=step, predict=lambda: average(batch(-1)))


def grad_scaler() -> TrainingRun:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=2)

    def step(i: int) -> tuple[float, float]:
        loss = model(batch(i)).square().mean()
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.item(), scaler.get_scale()

    return TrainingRun(components={"model": model, "optimizer": optimizer, "scaler": scaler}, step=step)


def shuffled_data() -> TrainingRun:
    """Four batches an epoch in an order of its own; the checkpoint knows the order and the place in it."""
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(7)
    place: dict[str, Any] = {"order": [], "next": 0}

    def step(i: int) -> float:
        if place["next"] == len(place["order"]):
            place.update(order=torch.randperm(4, generator=generator).tolist(), next=0)
        place["next"] += 1
        return fit(model, optimizer, batch(place["order"][place["next"] - 1]))

    components = {"model": model, "optimizer": optimizer, "generator": generator, "place": place}
    return TrainingRun(components=components, step=step)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(self.embed(words).tanh())
        return scores


def tied_weights() -> TrainingRun:
    model = Tied()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)

    def step(i: int) -> torch.Tensor:
        words = torch.arange(6).add(i).remainder(5)
        loss = nn.functional.cross_entropy(model(words), words.roll(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)


def frozen_backbone() -> TrainingRun:
    """The backbone is the same in every process and left out of the checkpoint."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        backbone = nn.Linear(4, 4).requires_grad_(False)
    head = nn.Linear(4, 2)
    model = nn.Sequential(backbone, nn.ReLU(), head)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)

    def save(path: Path) -> None:
        torch.save([head.state_dict(), optimizer.state_dict()], path)

    def load(path: Path) -> None:
        weights, moments = torch.load(path)
        head.load_state_dict(weights)
        optimizer.load_state_dict(moments)

    components = {"model": model, "optimizer": optimizer}
    return TrainingRun(components=components, step=lambda i: fit(model, optimizer, batch(i)), save=save, load=load)


class Counting(nn.Module):
    """Its scale depends on how often it was called in training, which it keeps as extra state."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += self.training
        return x / (1 + self.calls)

    def get_extra_state(self) -> dict[str, int]:
        return {"calls": self.calls}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.calls = state["calls"]


def extra_state() -> TrainingRun:
    model = mlp(Counting(), nn.BatchNorm1d(6))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    return TrainingRun(
        components={"model": model, "optimizer": optimizer},
        step=lambda i: fit(model, optimizer, batch(i)),
        predict=lambda: model(batch(-1)),
    )


def lazy_modules() -> TrainingRun:
    model = nn.Sequential(nn.LazyLinear(6), nn.ReLU(), nn.LazyLinear(2))
    model(batch(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    return TrainingRun(
        components={"model": model, "optimizer": optimizer}, step=lambda i: fit(model, optimizer, batch(i))
    )


class Rebuilding:
    """load makes a new model and a new optimizer."""

    def __init__(self) -> None:
        self.build()

    def build(self) -> None:
        self.model = mlp()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)

    def step(self, i: int) -> float:
        return fit(self.model, self.optimizer, batch(i))

    def save(self, path: Path) -> None:
        torch.save((self.model.state_dict(), self.optimizer.state_dict()), path)

    def load(self, path: Path) -> None:
        self.build()
        model, optimizer = torch.load(path)
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)


def load_replaces_the_parts() -> TrainingRun:
    program = Rebuilding()
    return TrainingRun.from_object(program, step=program.step, save=program.save, load=program.load)


class Pickling(Rebuilding):
    """The whole model and the whole optimizer in one pickle, so that they still hold the same parameters."""

    def save(self, path: Path) -> None:
        torch.save(vars(self), path)

    def load(self, path: Path) -> None:
        vars(self).update(torch.load(path, weights_only=False))


def whole_pickle() -> TrainingRun:
    program = Pickling()
    return TrainingRun.from_object(program, step=program.step, save=program.save, load=program.load)


def directory_with_a_sidecar() -> TrainingRun:
    """Weights and numbers in two files; the counter in the JSON decides on the learning rate."""
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    progress = {"steps": 0, "best": 1e9}

    def step(i: int) -> dict[str, float]:
        optimizer.param_groups[0]["lr"] = 0.1 / (1 + progress["steps"])
        loss = fit(model, optimizer, batch(i))
        progress.update(steps=progress["steps"] + 1, best=min(progress["best"], loss))
        return dict(progress)

    def save(path: Path) -> None:
        path.mkdir()
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path / "weights.pt")
        (path / "progress.json").write_text(json.dumps(progress))

    def load(path: Path) -> None:
        weights = torch.load(path / "weights.pt")
        model.load_state_dict(weights["model"])
        optimizer.load_state_dict(weights["optimizer"])
        progress.update(json.loads((path / "progress.json").read_text()))

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def background_thread() -> TrainingRun:
    """save copies, and a thread writes the copy; whoever loads waits for it."""
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def save(path: Path) -> None:
        copied = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
        threading.Thread(target=torch.save, args=(copied, path), name=f"writes {path}").start()

    def load(path: Path) -> None:
        for thread in threading.enumerate():
            if thread.name == f"writes {path}":
                thread.join()
        weights, moments = torch.load(path)
        model.load_state_dict(weights)
        optimizer.load_state_dict(moments)

    components = {"model": model, "optimizer": optimizer}
    return TrainingRun(components=components, step=lambda i: fit(model, optimizer, batch(i)), save=save, load=load)


def path_as_a_string() -> TrainingRun:
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def save(path: str) -> None:
        torch.save(model.state_dict(), path + ".model")
        torch.save(optimizer.state_dict(), path + ".optimizer")

    def load(path: str) -> None:
        model.load_state_dict(torch.load(path + ".model"))
        optimizer.load_state_dict(torch.load(path + ".optimizer"))

    return TrainingRun(
        components={"model": model, "optimizer": optimizer},
        step=lambda i: fit(model, optimizer, batch(i)),
        save=save,  # type: ignore[arg-type]
        load=load,  # type: ignore[arg-type]
    )


def nested_results() -> TrainingRun:
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def step(i: int) -> dict[str, Any]:
        loss = fit(model, optimizer, batch(i))
        return {"losses": [loss, (model(batch(i)), None)], "phase": "train", "weights": model.state_dict()}

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step)


class Unfreezing:
    """The first layer joins the training at the third step; load does what has been done by then."""

    def __init__(self) -> None:
        self.model = mlp()
        self.model[0].requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.model[2].parameters(), lr=0.01)

    def unfreeze(self) -> None:
        self.model[0].requires_grad_(True)
        self.optimizer.add_param_group({"params": list(self.model[0].parameters()), "lr": 0.001})

    def step(self, i: int) -> float:
        if i == 3:
            self.unfreeze()
        return fit(self.model, self.optimizer, batch(i))

    def save(self, path: Path) -> None:
        torch.save((self.model.state_dict(), self.optimizer.state_dict()), path)

    def load(self, path: Path) -> None:
        model, optimizer = torch.load(path)
        if len(optimizer["param_groups"]) > 1:
            self.unfreeze()
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)


def unfrozen_on_the_way() -> TrainingRun:
    program = Unfreezing()
    return TrainingRun.from_object(program, step=program.step, save=program.save, load=program.load)


def carried_hidden_state() -> TrainingRun:
    """A recurrent network that goes on from step to step with what it remembers."""
    model = nn.GRUCell(4, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    memory = {"hidden": torch.zeros(8, 3)}

    def step(i: int) -> float:
        memory["hidden"] = model(batch(i), memory["hidden"].detach())
        loss = memory["hidden"].square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def save(path: Path) -> None:
        torch.save([model.state_dict(), optimizer.state_dict(), memory["hidden"].detach()], path)

    def load(path: Path) -> None:
        weights, moments, memory["hidden"] = torch.load(path)
        model.load_state_dict(weights)
        optimizer.load_state_dict(moments)

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def three_random_generators() -> TrainingRun:
    """Augmentation with numpy, choices with python, dropout with torch, each with a generator of its own."""
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    generators: dict[str, Any] = {
        "numpy": np.random.default_rng(1),
        "python": random.Random(2),
        "torch": torch.Generator().manual_seed(3),
    }

    def step(i: int) -> float:
        noise = torch.from_numpy(generators["numpy"].normal(size=(8, 4))).float()
        kept = torch.rand(8, 4, generator=generators["torch"]) > 0.2
        return fit(model, optimizer, (batch(i) + generators["python"].random() * noise) * kept)

    return TrainingRun(components={"model": model, "optimizer": optimizer, **generators}, step=step)


SHUFFLER = random.Random(11)


def generator_of_the_module() -> TrainingRun:
    """A generator that belongs to the module, saved and restored."""
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def save(path: Path) -> None:
        torch.save([model.state_dict(), optimizer.state_dict(), SHUFFLER.getstate()], path)

    def load(path: Path) -> None:
        weights, moments, shuffler = torch.load(path)
        model.load_state_dict(weights)
        optimizer.load_state_dict(moments)
        SHUFFLER.setstate(shuffler)

    return TrainingRun(
        components={"model": model, "optimizer": optimizer},
        step=lambda i: fit(model, optimizer, batch(SHUFFLER.randrange(100))),
        save=save,
        load=load,
    )


def replay_buffer() -> TrainingRun:
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    buffer: deque[list[float]] = deque(maxlen=4)

    def step(i: int) -> float:
        buffer.extend(batch(i, 2, 4).tolist())
        return fit(model, optimizer, torch.tensor(list(buffer)))

    def save(path: Path) -> None:
        torch.save([model.state_dict(), optimizer.state_dict(), list(buffer)], path)

    def load(path: Path) -> None:
        weights, moments, remembered = torch.load(path)
        model.load_state_dict(weights)
        optimizer.load_state_dict(moments)
        buffer.clear()
        buffer.extend(remembered)

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def plateau() -> TrainingRun:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, cooldown=1)

    def step(i: int) -> float:
        loss = fit(model, optimizer, batch(i))
        scheduler.step(loss)
        return loss

    return TrainingRun(components={"model": model, "optimizer": optimizer, "scheduler": scheduler}, step=step)


def stream() -> TrainingRun:
    """A generator function feeds the training; load draws as many batches as were used."""
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def batches() -> Iterator[torch.Tensor]:
        number = 0
        while True:
            number = (number * 5 + 3) % 17
            yield batch(number)

    program: dict[str, Any] = {"used": 0, "stream": batches()}

    def step(i: int) -> float:
        program["used"] += 1
        return fit(model, optimizer, next(program["stream"]))

    def save(path: Path) -> None:
        torch.save([model.state_dict(), optimizer.state_dict(), program["used"]], path)

    def load(path: Path) -> None:
        weights, moments, program["used"] = torch.load(path)
        model.load_state_dict(weights)
        optimizer.load_state_dict(moments)
        program["stream"] = batches()
        for _ in range(program["used"]):
            next(program["stream"])

    return TrainingRun(components={"model": model, "optimizer": optimizer}, step=step, save=save, load=load)


def strict_about_its_files() -> TrainingRun:
    """Nothing in the file may be missing, renamed, reshaped, cast or in another order without an error."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    optimizer = torch.optim.Adam(model.named_parameters(), lr=0.01)

    def save(path: Path) -> None:
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)

    def load(path: Path) -> None:
        checkpoint = torch.load(path)
        weights, moments = checkpoint["model"], checkpoint["optimizer"]
        model.load_state_dict(weights)
        if any(weights[key].dtype != tensor.dtype for key, tensor in model.state_dict().items()):
            raise TypeError("the weights have another dtype")
        if [g["param_names"] for g in moments["param_groups"]] != [g["param_names"] for g in optimizer.param_groups]:
            raise ValueError("the optimizer had other parameters")
        optimizer.load_state_dict(moments)

    return TrainingRun(
        components={"model": model, "optimizer": optimizer},
        step=lambda i: fit(model, optimizer, batch(i)),
        save=save,
        load=load,
    )
