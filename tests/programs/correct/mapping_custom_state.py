"""make_run returns a dict of plain Python objects that speak state_dict / load_state_dict; no tensors anywhere."""
import random
from collections import Counter


class WordCounts:
    def __init__(self):
        self.counts = Counter({w: random.randrange(100) for w in ("a", "b", "c")})

    def state_dict(self):
        return {"counts": dict(self.counts)}

    def load_state_dict(self, state):
        self.counts = Counter(state["counts"])


class Budget:
    def __init__(self):
        self.left, self.limit = random.random(), float("inf")

    def state_dict(self):
        return {"left": self.left, "limit": self.limit, "unit": "€", "tags": ["x", ("y", None)]}

    def load_state_dict(self, state):
        self.left, self.limit = state["left"], state["limit"]


def make_run():
    return {"words": WordCounts(), "budget": Budget()}
