"""The stored step is the next one, and the loop adds one again after loading.

https://github.com/verl-project/verl/issues/7933 ("Checkpoint resume increments learner step twice")
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "global_step is increased twice over a resume, so the hand-made schedule is one step ahead for good."
NAMES = ["global_step", "global step", "step counter"]


class Learner:
    def __init__(self):
        self.policy = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 3))
        self.optimizer = torch.optim.Adam(self.policy.parameters())
        self.global_step = 0
        self.states = torch.randn(6, 9, 4, generator=torch.Generator().manual_seed(29))

    def learning_rate(self):
        return 0.05 * 0.7**self.global_step

    def fit_step(self, i):
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        probs = self.policy(self.states[i]).softmax(-1)
        loss = -(probs[:, 0] * self.states[i].sum(1)).mean() + 0.01 * (probs * probs.log()).sum(1).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.global_step += 1
        return loss.item()

    def save_checkpoint(self, path):
        state = {"policy": self.policy.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save(state | {"global_step": self.global_step}, path)

    def load_checkpoint(self, path, already_counted):
        state = torch.load(path)
        self.policy.load_state_dict(state["policy"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.global_step = state["global_step"]
        if not already_counted and self.global_step > 0:
            self.global_step += 1  # go on with the step after the saved one


def make_run(fixed):
    learner = Learner()
    return TrainingRun(
        components={"policy": learner.policy, "optimizer": learner.optimizer},
        step=learner.fit_step,
        save=learner.save_checkpoint,
        load=lambda path: learner.load_checkpoint(path, already_counted=fixed),
    )


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
