"""The options of a training, in one frozen object that every function which trains takes."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import optax

from verax.errors import InputError

Progress: TypeAlias = Callable[[int, int, float], None]
"""Called as ``progress(epoch, epochs, loss)`` after each epoch; epochs are counted over all runs."""

Optimizer: TypeAlias = optax.GradientTransformation | Callable[[int], optax.GradientTransformation]
"""An optimizer, or a function that makes one for a number of steps (equal numbers must give the same object)."""


@dataclass(frozen=True)
class Training:
    """How networks are trained; ``dataclasses.replace`` changes one option.

    Parameters
    ----------
    epochs : most passes over the training part. None for as many as it takes: at most 50, or 50,000 steps where those are
        more (50 with an optimizer of its own), and short passes are taken together to epochs of at least 50 steps
    batch : most rows of a batch
    patience : epochs without improvement of the validation loss after which a training stops
    learning_rate : of AdamW; without a validation part it falls to zero, once the loss no longer does
    optimizer : any optax optimizer instead of AdamW, or a function that makes one for a number of steps; the learning
        rate is then its own
    vmapped : train all networks of one call at once; by default only where there is an accelerator
    progress : called as ``progress(epoch, epochs, loss)`` after each epoch
    decay : weight decay of AdamW

    Raises
    ------
    InputError : for epochs, batch, patience or learning rate not above zero

    >>> Training(epochs=20).batch
    512
    """

    epochs: int | None = None
    batch: int = 512
    patience: int = 8
    learning_rate: float = 2e-3
    optimizer: Optimizer | None = None
    vmapped: bool | None = None
    progress: Progress | None = None
    decay: float = 1e-4

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "patience", "learning_rate"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(name.replace("_", " "), str(value), "a value above zero")

    def make_optimizer(self, steps: int) -> optax.GradientTransformation:
        """Make the optimizer for a training.

        Parameters
        ----------
        steps : number of steps of the whole training
        """
        chosen = adamw(self.learning_rate, self.decay) if self.optimizer is None else self.optimizer
        return chosen if isinstance(chosen, optax.GradientTransformation) else chosen(steps)

    def annealed(self) -> "Training":
        """Give the same options, with Adam and a rate that falls to zero (:func:`cosine`) where no optimizer is given."""
        return self if self.optimizer else replace(self, optimizer=cosine(self.learning_rate))


@functools.cache
def adamw(learning_rate: float = 1e-3, decay: float = 1e-4) -> optax.GradientTransformation:
    """Make AdamW (arXiv:1711.05101); one object for each setting, so that equal settings share one compiled loop.

    Parameters
    ----------
    learning_rate : of each step
    decay : share of each weight that a step takes away, in units of the learning rate

    >>> adamw(1e-3) is adamw(1e-3)
    True
    """
    return optax.adamw(learning_rate, weight_decay=decay)


@functools.cache
def cosine(learning_rate: float) -> Callable[[int], optax.GradientTransformation]:
    """Make Adam with a learning rate that falls to zero along a cosine over all steps (arXiv:1608.03983).

    That averages gradient noise out. One object for each setting and number of steps, as in :func:`adamw`.

    Parameters
    ----------
    learning_rate : of the first step

    >>> Training(optimizer=cosine(0.01)).make_optimizer(100) is cosine(0.01)(100)
    True
    """
    return functools.cache(lambda steps: optax.adam(optax.cosine_decay_schedule(learning_rate, steps)))
