"""No torch in the training: numpy weights in an .npz (which appends its suffix if the path has none)."""
import numpy as np

from pytest_ckpt import TrainingRun


class Perceptron:
    def __init__(self):
        rng = np.random.default_rng(np.random.randint(2 ** 31))  # from the global seed: another one each run
        self.w = rng.normal(size=(4, 2))
        self.rng = np.random.default_rng(0)
        self.mistakes = np.zeros(2, dtype=np.int64)

    def state_dict(self):
        return {"w": self.w.copy(), "mistakes": self.mistakes.copy()}

    def load_state_dict(self, s):
        self.w, self.mistakes = np.array(s["w"]), np.array(s["mistakes"])

    def step(self, i):
        x = self.rng.normal(size=4)
        y = np.array([x[0] > x[1], x.sum() > 0], dtype=float)
        wrong = ((x @ self.w > 0) != y.astype(bool))
        self.w += 0.1 * np.outer(x, (y - (x @ self.w > 0)))
        self.mistakes += wrong
        return {"margin": np.abs(x @ self.w), "mistakes": self.mistakes.copy()}

    def save(self, path):
        bits = self.rng.bit_generator.state["state"]
        np.savez(str(path), rng=np.array([hex(bits["state"]), hex(bits["inc"])]), **self.state_dict())

    def load(self, path):
        path = str(path)
        with np.load(path if path.endswith(".npz") else path + ".npz") as z:
            self.load_state_dict(z)
            state = self.rng.bit_generator.state
            state["state"] = {"state": int(str(z["rng"][0]), 16), "inc": int(str(z["rng"][1]), 16)}
            self.rng.bit_generator.state = state


def make_run():
    p = Perceptron()
    return TrainingRun(components={"perceptron": p}, step=p.step, save=p.save, load=p.load)
