"""Off-policy agent resumed with an empty replay buffer: DLR-RM/stable-baselines3#868/#1916, ray-project/ray#8151, nicklashansen/tdmpc2#28, openai/spinningup#98."""
import collections
import os
import pickle

import numpy as np
import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The replay buffer is not saved; the resumed agent samples from a buffer that holds only what it saw since."
NAMES = ["buffer", "replay"]


class ReplayBuffer:
    def __init__(self, capacity=64):
        self.storage = collections.deque(maxlen=capacity)
        self.rng = np.random.default_rng(0)

    def add(self, transition):
        self.storage.append(transition)

    def sample(self, n):
        rows = [self.storage[j] for j in self.rng.integers(len(self.storage), size=n)]
        return torch.from_numpy(np.array(rows, dtype=np.float32))


class World:
    def __init__(self):
        self.state = 0.5

    def act(self, action):
        self.state = 3.7 * self.state * (1 - self.state)
        return self.state, -abs(self.state - action)


class SAC:
    def __init__(self, keep_buffer):
        self.keep_buffer = keep_buffer
        self.critic = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
        self.optim = torch.optim.Adam(self.critic.parameters(), lr=1e-2)
        self.buffer, self.world = ReplayBuffer(), World()

    def learn(self, i):
        for j in range(4):
            action = ((i * 4 + j) % 7) / 7
            self.buffer.add((self.world.state, action, self.world.act(action)[1]))
        batch = self.buffer.sample(16)
        loss = (self.critic(batch[:, :2]) - batch[:, 2:]).square().mean()
        self.optim.zero_grad()
        loss.backward()
        self.optim.step()
        return loss.item()

    def save(self, folder):
        os.makedirs(folder, exist_ok=True)
        blob = {"critic": self.critic.state_dict(), "optim": self.optim.state_dict(), "world": self.world.state, "rng": self.buffer.rng.bit_generator.state}
        torch.save(blob, os.path.join(folder, "agent.pt"))
        if self.keep_buffer:
            with open(os.path.join(folder, "replay_buffer.pkl"), "wb") as f:
                pickle.dump(self.buffer.storage, f)

    def load(self, folder):
        blob = torch.load(os.path.join(folder, "agent.pt"))
        self.critic.load_state_dict(blob["critic"])
        self.optim.load_state_dict(blob["optim"])
        self.world.state, self.buffer.rng.bit_generator.state = blob["world"], blob["rng"]
        if self.keep_buffer:
            with open(os.path.join(folder, "replay_buffer.pkl"), "rb") as f:
                self.buffer.storage = pickle.load(f)


def make_run(fixed):
    a = SAC(keep_buffer=fixed)
    return TrainingRun(components={"critic": a.critic, "optim": a.optim}, step=a.learn, save=a.save, load=a.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
