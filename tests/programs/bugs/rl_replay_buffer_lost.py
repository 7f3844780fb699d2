"""The replay buffer is saved on request only; a resumed DQN learns from an empty one.

https://github.com/DLR-RM/stable-baselines3/issues/326, https://github.com/DLR-RM/stable-baselines3/issues/597
"""

import os
import pickle
from collections import deque

import torch
from torch import nn

from pytest_ckpt import TrainingRun

DOC = "The replay buffer is not part of the checkpoint; batches hold only what was seen after the resume."
NAMES = ["replay"]


class DQN:
    def __init__(self):
        torch.manual_seed(5)
        self.q_net = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2))
        self.target = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2))
        self.target.load_state_dict(self.q_net.state_dict())
        self.optimizer = torch.optim.Adam(self.q_net.parameters(), lr=0.01)
        self.replay_buffer = deque(maxlen=32)
        self.observation = torch.tensor([0.1, -0.2, 0.3])

    def interact(self):
        with torch.no_grad():
            action = int(self.q_net(self.observation).argmax())
        push = 0.3 if action else -0.3
        after = (self.observation.roll(1) + push).cos()
        self.replay_buffer.append((self.observation, action, float(after.sum()), after))
        self.observation = after

    def step(self, i):
        for _ in range(2):
            self.interact()
        obs, actions, rewards, after = zip(*self.replay_buffer)
        with torch.no_grad():
            goal = torch.tensor(rewards) + 0.9 * self.target(torch.stack(after)).amax(1)
        value = self.q_net(torch.stack(obs)).gather(1, torch.tensor(actions)[:, None]).squeeze(1)
        loss = nn.functional.smooth_l1_loss(value, goal)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def save(self, path, save_replay_buffer):
        os.makedirs(path, exist_ok=True)
        nets = {k: getattr(self, k).state_dict() for k in ("q_net", "target", "optimizer")}
        torch.save(nets | {"observation": self.observation}, f"{path}/model.pth")
        if save_replay_buffer:
            with open(f"{path}/replay_buffer.pkl", "wb") as f:
                pickle.dump(self.replay_buffer, f)

    def load(self, path):
        state = torch.load(f"{path}/model.pth")
        for k in ("q_net", "target", "optimizer"):
            getattr(self, k).load_state_dict(state[k])
        self.observation = state["observation"]
        if os.path.exists(f"{path}/replay_buffer.pkl"):
            with open(f"{path}/replay_buffer.pkl", "rb") as f:
                self.replay_buffer = pickle.load(f)


def make_run(fixed):
    a = DQN()
    parts = {"q_net": a.q_net, "target": a.target, "optimizer": a.optimizer}
    return TrainingRun(parts, a.step, lambda path: a.save(path, save_replay_buffer=fixed), a.load)


def make_buggy():
    return make_run(False)


def make_fixed():
    return make_run(True)
