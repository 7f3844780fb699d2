"""Evolution strategy without gradients; antithetic noise from (seed, generation), rank-shaped fitness."""
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from pytest_ckpt import TrainingRun


class ES:
    def __init__(self):
        self.policy = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)).requires_grad_(False)
        self.sigma = 0.1
        self.generation = 0

    def fitness(self, theta):
        vector_to_parameters(theta, self.policy.parameters())
        x = torch.linspace(-1, 1, 18).view(6, 3)
        return -(self.policy(x).squeeze(1) - x.prod(1)).pow(2).mean()

    def step(self, i):
        theta = parameters_to_vector(self.policy.parameters())
        g = torch.Generator().manual_seed(10_000 + self.generation)
        noise = torch.randn(4, theta.numel(), generator=g)
        noise = torch.cat([noise, -noise])
        scores = torch.stack([self.fitness(theta + self.sigma * e) for e in noise])
        ranks = scores.argsort().argsort().float() / 7 - 0.5
        theta = theta + 0.05 / self.sigma * (ranks @ noise) / 8
        best = self.fitness(theta)
        self.sigma *= 0.95
        self.generation += 1
        return best.item()

    def save(self, path):
        torch.save({"theta": parameters_to_vector(self.policy.parameters()), "sigma": self.sigma,
                    "generation": self.generation}, path)

    def load(self, path):
        s = torch.load(path)
        # copies: vector_to_parameters would make views into one vector
        with torch.no_grad():
            start = 0
            for p in self.policy.parameters():
                p.copy_(s["theta"][start:start + p.numel()].view_as(p))
                start += p.numel()
        self.sigma, self.generation = s["sigma"], s["generation"]


def make_run():
    es = ES()
    return TrainingRun(components={"policy": es.policy}, step=es.step, save=es.save, load=es.load)
