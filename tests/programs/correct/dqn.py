"""DQN on a tiny corridor: replay buffer, target network, epsilon, environment and its random state."""
import copy
import random
from collections import deque

import torch
from torch import nn

from pytest_ckpt import TrainingRun


class Corridor:
    def __init__(self):
        self.pos = 2

    def act(self, a):
        self.pos = max(0, min(6, self.pos + (1 if a else -1)))
        done = self.pos in (0, 6)
        reward = 1.0 if self.pos == 6 else -0.1
        if done:
            self.pos = 2
        return reward, done


def encode(pos):
    return [float(pos == k) for k in range(7)]


class Agent:
    def __init__(self):
        self.q = nn.Sequential(nn.Linear(7, 16), nn.ReLU(), nn.Linear(16, 2))
        self.target = copy.deepcopy(self.q).requires_grad_(False)
        self.opt = torch.optim.Adam(self.q.parameters(), lr=1e-2)
        self.replay = deque(maxlen=12)
        self.env, self.epsilon, self.updates = Corridor(), 1.0, 0

    def step(self, i):
        for _ in range(3):
            s = self.env.pos
            with torch.no_grad():
                greedy = int(self.q(torch.tensor(encode(s))).argmax())
            a = random.randrange(2) if random.random() < self.epsilon else greedy
            r, done = self.env.act(a)
            self.replay.append((s, a, r, self.env.pos, done))
        batch = random.sample(list(self.replay), min(4, len(self.replay)))
        s, a, r, s2, d = map(list, zip(*batch))
        with torch.no_grad():
            best = self.target(torch.tensor([encode(p) for p in s2])).max(1).values
            goal = torch.tensor(r) + 0.9 * best * (1 - torch.tensor(d, dtype=torch.float))
        value = self.q(torch.tensor([encode(p) for p in s])).gather(1, torch.tensor(a)[:, None]).squeeze(1)
        loss = nn.functional.smooth_l1_loss(value, goal)
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        self.updates += 1
        self.epsilon = max(0.1, self.epsilon * 0.8)
        if self.updates % 4 == 0:
            self.target.load_state_dict(self.q.state_dict())
        return {"loss": loss.item(), "epsilon": self.epsilon, "replay": len(self.replay)}

    def save(self, path):
        torch.save({"q": self.q.state_dict(), "target": self.target.state_dict(), "opt": self.opt.state_dict(),
                    "replay": list(self.replay), "pos": self.env.pos, "epsilon": self.epsilon,
                    "updates": self.updates, "random": random.getstate()}, path)

    def load(self, path):
        s = torch.load(path)
        for k in ("q", "target", "opt"):
            getattr(self, k).load_state_dict(s[k])
        self.replay = deque(s["replay"], maxlen=self.replay.maxlen)
        self.env.pos, self.epsilon, self.updates = s["pos"], s["epsilon"], s["updates"]
        random.setstate(s["random"])


def make_run():
    a = Agent()
    return TrainingRun(components={"q": a.q, "target": a.target, "opt": a.opt}, step=a.step, save=a.save, load=a.load)
