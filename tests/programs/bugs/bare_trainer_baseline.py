"""A trainer that is its own checkpoint: state_dict() names its parts and misses the reward baseline.

After REINFORCE trainers whose running reward is a local of the script
(pytorch/examples reinforce.py keeps running_reward outside of everything that could be saved).
"""

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The running reward, subtracted as a baseline, is not in the trainer's state_dict()."
NAMES = ["running_reward", "baseline"]


class PolicyGradient:
    saved = ("policy", "optimizer")
    scalars = ("episode",)

    def __init__(self):
        self.policy = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr=0.03)
        self.running_reward = 10.0
        self.episode = 0
        self.states = torch.randn(6, 7, 4, generator=torch.Generator().manual_seed(543))

    def run_episode(self, i):
        log_probs = self.policy(self.states[i]).log_softmax(-1)
        actions = torch.multinomial(log_probs.exp(), 1).squeeze(1)
        rewards = torch.where(actions == (self.states[i, :, 0] > 0).long(), 1.0, -0.5)
        advantage = rewards.sum() - self.running_reward
        loss = -(log_probs[torch.arange(7), actions] * advantage).sum()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.running_reward = 0.8 * self.running_reward + 0.2 * rewards.sum().item()
        self.episode += 1
        return loss.item()

    def state_dict(self):
        parts = {name: getattr(self, name).state_dict() for name in self.saved}
        return parts | {name: getattr(self, name) for name in self.scalars}

    def load_state_dict(self, state):
        for name in self.saved:
            getattr(self, name).load_state_dict(state[name])
        for name in self.scalars:
            setattr(self, name, state[name])


class MendedPolicyGradient(PolicyGradient):
    scalars = ("episode", "running_reward")


def make_run(fixed):
    trainer = MendedPolicyGradient() if fixed else PolicyGradient()
    return TrainingRun(components={"trainer": trainer}, step=trainer.run_episode)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
