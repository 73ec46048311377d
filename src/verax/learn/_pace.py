"""When does a training end? At full learning rate until the loss no longer falls, then with a rate that falls to zero.

That is the schedule "warm-up, stable, decay" (Hu et al., arXiv:2404.06395; Hägele et al., arXiv:2405.18392): how long its
stable phase lasts need not be known before. It ends when the loss of its fourth quarter is that of its third one: by the
noise of both, or up to what is far below what events leave open. The excess of a loss in n events is measured in units of
the spread of one event's loss, as that of a log-likelihood is about one: p weights that fit noise gain about p/2 such units,
whatever the loss's own unit (Wilks, 1938). What is far below is ``SHARE`` of a unit for each weight.

A training that runs out of steps before that has the falling rate in the second half of them, and says that its loss
still fell. One with a validation part ends by patience (Prechelt, 1998), or says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from verax.events import Events

from ._loss import Loss
from ._network import trainable

SHARE = 0.05
"""Units of loss for each weight that a quarter of a training may still bring: a tenth of what noise brings."""

LEAST_STEPS, LEAST_ROUNDS = 3000, 16
"""Steps, thrice what Adam remembers of squared gradients, and rounds, after which a loss is first looked at."""

ROWS = 512
"""Rows that the spread of one event's loss is measured on."""


@dataclass
class Pace:
    """The learning rate of one training without validation, round by round.

    Parameters
    ----------
    steps : of a round
    most : rounds
    schedule : False where an optimizer has a rate of its own: all rounds are made, and judged by the last ones
    tolerance : units of loss that are nothing
    """

    steps: int
    most: int
    schedule: bool
    tolerance: float
    losses: list[float] = field(default_factory=list)
    falls_from: int | None = None
    ends: int | None = None
    looked: int = 0
    settled: bool = False
    line: str = ""

    def rates(self) -> Float[np.ndarray, " step"]:
        """Shares of the learning rate in the steps of the next round: 1, then falling linearly to zero."""
        if self.falls_from is None or self.ends is None:
            return np.ones(self.steps, np.float32)
        step = (len(self.losses) - self.falls_from) * self.steps + np.arange(self.steps)
        return np.maximum(1 - step / ((self.ends - self.falls_from) * self.steps), 0).astype(np.float32)

    def after(self, loss: float, units: Callable[[], float]) -> bool:
        """Take the loss of a round; True when it was the last."""
        self.losses.append(loss)
        done = len(self.losses)
        if self.schedule and self.falls_from is None:
            last = 2 * done >= self.most
            if last or (done * self.steps >= LEAST_STEPS and done >= max(LEAST_ROUNDS, 1.25 * self.looked)):
                self.looked = done
                self._judge(np.asarray(self.losses), units)
            if self.settled or last:
                self.falls_from = done
                self.ends = min(2 * done, self.most)
        over = done >= (self.most if self.ends is None else self.ends)
        if over and not self.schedule:
            few = done < 2.5 * LEAST_ROUNDS
            self._judge(np.asarray(self.losses if few else self.losses[-(2 * done // 5) :]), units)
        return over

    def _judge(self, losses: np.ndarray, units: Callable[[], float]) -> None:
        """Compare the last quarter of these losses with the quarter before, each in four blocks."""
        if len(losses) < LEAST_ROUNDS:
            self.line = f"{self.most} epochs are too few to tell whether the loss still falls"
            return
        size = len(losses) // 8 // 2
        blocks = losses[-8 * size :].reshape(2, 4, size).mean(axis=2) * units()
        fall = float(blocks[0].mean() - blocks[1].mean())
        noise = float(np.sqrt(blocks.var(axis=1, ddof=1).sum() / 4))
        self.settled = fall < self.tolerance + noise
        self.line = "" if self.settled else f"the loss still fell, by {fall:.2g} units in the last {4 * size} epochs"


def units_of(network: Any, loss: Loss, events: Events, weight: np.ndarray, rows: np.ndarray, key: Any) -> float:
    """Units that one of a mean loss is worth: n Σw/Σw² over the spread of one event's loss, at most ``ROWS`` of them.

    A loss that is the same for all events is taken as it is.
    """
    w = np.asarray(weight, np.float64)[rows]
    some = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), ROWS)).astype(np.int64))]
    spread = float(_spread(network, loss, events, some, key))
    scale = spread if np.isfinite(spread) and spread > 0 else 1.0
    return float(len(rows) * abs(w.sum()) / np.square(w).sum() / scale)


@eqx.filter_jit
def _spread(network: Any, loss: Loss, events: Events, rows: Any, key: Any) -> jax.Array:
    def one(row: Any) -> jax.Array:
        event = events.take(row[None])
        event = Events(
            event.x, jnp.ones_like(event.weight), event.process, event.number, event.columns, event.processes
        )
        return loss(network, event, key)

    return jnp.std(jax.vmap(one)(jnp.asarray(rows)))


def tolerance_of(network: Any, weight: np.ndarray, rows: np.ndarray) -> float:
    """Units of loss that are nothing: ``SHARE`` for each weight, of which there count no more than events, n_eff."""
    w = np.asarray(weight, np.float64)[rows]
    count = sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(network, trainable(network))))
    return SHARE * float(min(count, w.sum() ** 2 / np.square(w).sum()))


def judge_stopped(validation: np.ndarray, patience: int, units: Callable[[], float], tolerance: float) -> str:
    """Why a training whose epochs ran out before its patience may not have converged: the best loss still fell."""
    before = validation[: max(len(validation) - patience, 1)].min()
    fall = float(before - validation.min()) * units() if len(validation) > 1 else np.inf
    if fall < tolerance:
        return ""
    return f"the validation loss still fell when {len(validation)} epochs were over"
