"""The exploration rate is 1.0 again after loading.

https://github.com/DLR-RM/stable-baselines3/issues/1629 ("DQN resets exploration rate from saved model"),
https://github.com/DLR-RM/rl-baselines3-zoo/issues/490
"""

import random

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "_n_calls, from which epsilon is computed, is on the excluded list of the saver; exploration starts again."
NAMES = ["_n_calls", "exploration", "epsilon"]


class BanditAgent:
    """Q-learning on a contextual bandit, with an epsilon that decays linearly."""

    excluded = {"q_net", "optimizer", "contexts", "_n_calls"}

    def __init__(self):
        self.q_net = nn.Sequential(nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 3))
        self.optimizer = torch.optim.RMSprop(self.q_net.parameters(), lr=0.01)
        self.contexts = torch.randn(6, 5, 4, generator=torch.Generator().manual_seed(17))
        self._n_calls = 0
        self.episodes = 0

    @property
    def exploration_rate(self):
        return max(0.05, 1.0 - 0.3 * self._n_calls)

    def step(self, i):
        q = self.q_net(self.contexts[i])
        actions = [random.randrange(3) if random.random() < self.exploration_rate else int(r.argmax()) for r in q]
        actions = torch.tensor(actions)
        rewards = self.contexts[i].gather(1, actions[:, None]).squeeze(1)
        loss = (q.gather(1, actions[:, None]).squeeze(1) - rewards).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self._n_calls += 1
        self.episodes += 5
        return loss.item()

    def save(self, path):
        data = {k: v for k, v in self.__dict__.items() if k not in self.excluded}
        nets = {"q_net": self.q_net.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save({"data": data, "params": nets, "rng": random.getstate()}, path)

    def load(self, path):
        saved = torch.load(path, weights_only=False)
        self.__dict__.update(saved["data"])
        self.q_net.load_state_dict(saved["params"]["q_net"])
        self.optimizer.load_state_dict(saved["params"]["optimizer"])
        random.setstate(saved["rng"])


class MendedAgent(BanditAgent):
    excluded = BanditAgent.excluded - {"_n_calls"}


def make_run(fixed):
    agent = MendedAgent() if fixed else BanditAgent()
    return TrainingRun({"q_net": agent.q_net, "optimizer": agent.optimizer}, agent.step, agent.save, agent.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
