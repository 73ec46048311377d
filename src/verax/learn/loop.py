"""The training loop: many runs on one table of events, early stopping on the host, epochs compiled.

A run (a member of an ensemble, a fold of a cross-training) is only a list of row numbers and a weight for each row of
the shared table. All runs use equally many batches of one size, so one compiled program serves them all: one on each
core of a CPU, where vectorising over networks gains nothing, or vectorised on a GPU.
"""

import functools
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, NamedTuple, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Int, PRNGKeyArray

from verax.cores import side_by_side
from verax.errors import InputError
from verax.events import Events
from verax.learn.epoch import epoch_of_all, epoch_of_one, first_state, stack
from verax.learn.loss import Loss, is_comparable

Progress: TypeAlias = Callable[[int, int, float], None]
"""Called as ``progress(epoch, epochs, loss)`` after each epoch; epochs are counted over all runs."""

Optimizer: TypeAlias = optax.GradientTransformation | Callable[[int], optax.GradientTransformation]
"""An optimizer, or a function that makes one for a number of steps (equal numbers must give the same object)."""


@dataclass(frozen=True)
class Run:
    """One training: its key, its start, the rows it learns from and those it stops on, and every row's weight."""

    key: PRNGKeyArray
    network: Any
    weight: Float[np.ndarray, " event"]
    rows: Int[np.ndarray, " row"]
    held_out: Int[np.ndarray, " part"]


@dataclass(frozen=True)
class History:
    """What happened in one training.

    The training loss of an epoch is the mean over its steps, while the network moves and (for a bootstrap member) with
    the replica's weights; the validation loss is that of the network at the end.

    Parameters
    ----------
    train, validation : loss in each epoch (``validation`` is NaN without a validation part)
    best : epoch, from 0, whose network was kept; −1 when the start was, because no epoch ended with finite numbers
    stopped : "epochs" (all done), "patience" (no improvement for that many epochs) or "not finite"
    problem : one line about what went wrong, empty when nothing did
    """

    train: Float[np.ndarray, " epoch"]
    validation: Float[np.ndarray, " epoch"]
    best: int
    stopped: str
    problem: str = ""

    def check(self) -> None:
        """Raise InputError when the training ended with a problem; the last good network is kept all the same."""
        if self.problem:
            raise InputError("training", self.problem, "a finite loss", "the network of the best epoch is kept")


def train_runs(
    runs: Sequence[Run],
    loss: Loss,
    events: Events,
    *,
    epochs: int,
    batch: int,
    patience: int,
    rate: float,
    optimizer: Optimizer | None = None,
    vmapped: bool | None = None,
    progress: Progress | None = None,
) -> tuple[Any, tuple[History, ...]]:
    """Train every run on its rows of ``events``; the networks come back stacked, with a leading axis ``run``.

    Every epoch has the same number of batches of one size, at most ``batch``: the split of the smallest run that leaves
    the fewest rows out. Those left out (fewer than there are batches, plus what a run has more than the smallest one)
    are others in each epoch, because the rows are shuffled.

    Raises
    ------
    InputError : when a run has no rows, when only some have a validation part, or when an option is not positive
    """
    for name, value in {"epochs": epochs, "batch": batch, "patience": patience, "learning rate": rate}.items():
        if not value > 0:
            raise InputError(name, str(value), "a value above zero")
    plan = _Plan(
        _batches([len(run.rows) for run in runs], batch, "training part"),
        _batches([len(run.held_out) for run in runs], max(batch, 8192), "validation part", optional=True),
        epochs,
        patience,
        "that of the given optimizer" if optimizer else f"{rate:g}",
    )
    table = Events(
        jnp.asarray(events.x, jnp.float32),
        jnp.asarray(runs[0].weight, jnp.float32),
        jnp.asarray(events.process),
        jnp.asarray(events.number),
        events.columns,
        events.processes,
    )
    chosen = adamw(rate) if optimizer is None else optimizer
    if not isinstance(chosen, optax.GradientTransformation):
        chosen = chosen(epochs * plan.train[0])
    shared = (table, loss, chosen)
    together = jax.default_backend() != "cpu" if vmapped is None else vmapped
    groups = [list(runs)] if together else [[run] for run in runs]
    desk = _Desk(progress, len(groups) * epochs)
    train = functools.partial(_train_group, shared, plan, epoch_of_all if together else epoch_of_one, desk)
    with side_by_side() as threads:
        try:
            found = list(threads.map(train, groups) if len(groups) > 1 else map(train, groups))
        finally:
            desk.closed.set()
    networks, histories = zip(*found, strict=True)
    return jax.tree.map(lambda *a: jnp.concatenate(a) if eqx.is_array(a[0]) else a[0], *networks), sum(histories, ())


@functools.cache
def adamw(rate: float = 1e-3, decay: float = 1e-4) -> optax.GradientTransformation:
    """AdamW (arXiv:1711.05101); one object for each setting, so that equal settings share one compiled loop."""
    return optax.adamw(rate, weight_decay=decay)


class _Plan(NamedTuple):
    """Shapes and limits that all runs share; ``train`` and ``held_out`` are (number of batches, rows of a batch)."""

    train: tuple[int, int]
    held_out: tuple[int, int]
    epochs: int
    patience: int
    rate: str


def _batches(lengths: Sequence[int], batch: int, what: str, *, optional: bool = False) -> tuple[int, int]:
    """Number and size of the batches that fit in the shortest run."""
    shortest = min(lengths)
    if optional and not any(lengths):
        return 0, 1
    if shortest == 0:
        raise InputError(what, "a run without events", "events in every run", "use fewer folds, or more events")
    number = -(-shortest // batch)
    return number, shortest // number


class _Desk:
    """Where groups that train side by side report: epochs are counted together, first ones wait, to compile once."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0
        self.first, self.lock, self.closed = Lock(), Lock(), Event()

    def tell(self, loss: float, epochs: int = 1) -> None:
        with self.lock:
            self.done += epochs
            if self.progress is not None:
                self.progress(self.done, self.total, loss)


def _train_group(
    shared: tuple[Any, ...], plan: _Plan, advance: Callable[..., Any], desk: _Desk, runs: list[Run]
) -> tuple[Any, tuple[History, ...]]:
    """Epochs of the runs that advance together, until each has stopped."""
    shufflers = [np.random.default_rng(np.ravel(jax.random.key_data(run.key)).tolist()) for run in runs]
    held_out = np.stack([_rows(r, run.held_out, plan.held_out) for r, run in zip(shufflers, runs, strict=True)])
    weight = np.stack([run.weight for run in runs]).astype(np.float32)
    keys = jnp.stack([run.key for run in runs])
    network = stack([run.network for run in runs])
    state = first_state(network, shared[2])
    fixed = [jax.device_put(a) for a in (weight, held_out)]
    train, validation, improved = [], [], []
    ended = [-1] * len(runs)
    for epoch in range(plan.epochs):
        rows = np.stack([_rows(r, run.rows, plan.train) for r, run in zip(shufflers, runs, strict=True)])
        active = jnp.asarray([end < 0 for end in ended])
        with desk.first if epoch == 0 else nullcontext():
            state, outcome = advance(state, (fixed[0], rows, fixed[1], keys, active), jnp.int32(epoch), shared)
        train.append(np.asarray(outcome.losses, np.float64))
        validation.append(np.asarray(outcome.validation, np.float64))
        improved.append(np.asarray(outcome.improved))
        monitored = validation[-1] if plan.held_out[0] else train[-1].mean(axis=1)
        broken = ~(np.isfinite(train[-1]).all(axis=1) & np.isfinite(monitored))
        tired = plan.held_out[0] > 0 and is_comparable(shared[1]) and len(improved) > plan.patience
        for i in np.flatnonzero([end < 0 for end in ended]):
            if broken[i] or (tired and not any(good[i] for good in improved[-plan.patience :])):
                ended[i] = epoch
        over = min(ended) >= 0 or desk.closed.is_set()
        desk.tell(float(np.mean(monitored)), plan.epochs - epoch if over else 1)
        if over:
            break
    last = [end if end >= 0 else len(train) - 1 for end in ended]
    histories = tuple(
        _history(
            np.stack([t[i] for t in train[: last[i] + 1]]),
            np.asarray([v[i] for v in validation[: last[i] + 1]]),
            np.asarray([good[i] for good in improved[: last[i] + 1]]),
            "epochs" if ended[i] < 0 else "patience",
            plan,
        )
        for i in range(len(runs))
    )
    return state.best, histories


def _rows(shuffler: np.random.Generator, rows: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Shuffled rows in batches; NumPy shuffles many times faster than JAX does on a CPU."""
    return shuffler.permutation(rows)[: shape[0] * shape[1]].reshape(shape).astype(np.int32)


def _history(losses: np.ndarray, validation: np.ndarray, improved: np.ndarray, stopped: str, plan: _Plan) -> History:
    """The record of one run from ``losses[epoch, step]``, up to the epoch in which it stopped."""
    last, problem = len(losses) - 1, ""
    if not np.isfinite(losses[-1]).all() or (plan.held_out[0] and not np.isfinite(validation[-1])):
        stopped = "not finite"
        bad = ~np.isfinite(losses[-1])
        step = int(np.argmax(bad)) if bad.any() else losses.shape[1] - 1
        cause = (
            "NaN or infinite features or weights"
            if last == step == 0
            else "a learning rate that is too large, or a loss without lower bound (regions of negative total weight)"
        )
        problem = f"loss not finite in epoch {last}, step {step}, learning rate {plan.rate}; likely cause: {cause}"
    best = int(np.flatnonzero(improved)[-1]) if improved.any() else -1
    return History(losses.mean(axis=1), validation, best, stopped, problem)
