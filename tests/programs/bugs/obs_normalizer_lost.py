"""Policy saved without its observation normalizer: DLR-RM/stable-baselines3#1256, hill-a/stable-baselines#524, kuds/mesozoic-labs#131."""
import os
import pickle

import numpy as np
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The running mean and variance of the observations (VecNormalize) are not written, so a resumed policy sees other inputs."
NAMES = ["obs_rms", "mean", "normaliz", "venv"]


class RunningMeanStd:
    def __init__(self, shape):
        self.mean, self.var, self.count = np.zeros(shape), np.ones(shape), 1e-4

    def update(self, x):
        mean, var, n = x.mean(0), x.var(0), len(x)
        delta, total = mean - self.mean, self.count + n
        m2 = self.var * self.count + var * n + delta**2 * self.count * n / total
        self.mean, self.var, self.count = self.mean + delta * n / total, m2 / total, total


class VecNormalize:
    def __init__(self):
        self.obs_rms = RunningMeanStd((3,))

    def __call__(self, obs):
        self.obs_rms.update(obs)
        return ((obs - self.obs_rms.mean) / np.sqrt(self.obs_rms.var + 1e-8)).clip(-10, 10).astype(np.float32)

    def save(self, path):
        with open(path, "wb") as f:
            pickle.dump(vars(self.obs_rms), f)

    def load(self, path):
        with open(path, "rb") as f:
            vars(self.obs_rms).update(pickle.load(f))


class Agent:
    def __init__(self, keep_stats):
        self.keep_stats = keep_stats
        self.policy = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 2))
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr=1e-2)
        self.venv = VecNormalize()

    def learn(self, i):
        raw = np.random.default_rng(100 + i).normal(loc=5 + i, scale=3, size=(20, 3))
        obs = torch.from_numpy(self.venv(raw))
        reward = torch.from_numpy(raw[:, :1] - raw[:, 1:2]).float().expand(-1, 2)
        loss = (self.policy(obs) - reward).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, folder):
        os.makedirs(folder, exist_ok=True)
        torch.save({"policy": self.policy.state_dict(), "optim": self.optimizer.state_dict()}, os.path.join(folder, "model.pt"))
        if self.keep_stats:
            self.venv.save(os.path.join(folder, "vecnormalize.pkl"))

    def load(self, folder):
        data = torch.load(os.path.join(folder, "model.pt"))
        self.policy.load_state_dict(data["policy"])
        self.optimizer.load_state_dict(data["optim"])
        if self.keep_stats:
            self.venv.load(os.path.join(folder, "vecnormalize.pkl"))


def make_run(fixed):
    agent = Agent(keep_stats=fixed)
    return TrainingRun(components={"policy": agent.policy, "optimizer": agent.optimizer}, step=agent.learn, save=agent.save, load=agent.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
