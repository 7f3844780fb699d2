from collections.abc import Callable

from trainer import Trainer

from pytest_ckpt import TrainingRun, parametrize_with_checks


def make_run() -> TrainingRun:
    trainer = Trainer()
    return TrainingRun(
        components={"model": trainer.model, "optimizer": trainer.optimizer},
        step=trainer.train_step,
        save=trainer.save,
        load=trainer.load,
    )


@parametrize_with_checks(make_run)
def test_checkpoint(check: Callable[[], object]) -> None:
    check()
