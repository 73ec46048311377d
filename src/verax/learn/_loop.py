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
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray

from verax.errors import InputError
from verax.events import Events
from verax.run import side_by_side

from ._epoch import epoch_of_all, epoch_of_one, first_state, stack
from ._loss import Loss, is_comparable
from ._pace import Pace, judge_stopped, tolerance_of, units_of
from ._training import Progress, Training

MOST_STEPS, LEAST_ROUND = 50_000, 50
"""Steps of a training without a number of epochs, and of each of its epochs, at least."""


@dataclass(frozen=True)
class Run:
    """One training of :func:`verax.learn.train_runs`; several share a table of events.

    Parameters
    ----------
    key : random key of the order of events and of the loss
    network : where it starts
    weight : training weight of every row of the table ``[event]``
    rows : rows that it learns from
    held_out : rows that decide when to stop; there may be none

    >>> run = Run(jax.random.key(1), "a network", np.ones(5), np.arange(4), np.array([4]))
    >>> len(run.rows), len(run.held_out)
    (4, 1)
    """

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
    train : training loss in each epoch ``[epoch]``
    validation : validation loss in each epoch ``[epoch]``; NaN without a validation part
    best : epoch, from 0, whose network was kept; −1 when the start was, because no epoch ended with finite numbers
    stopped : "epochs" (all done), "patience" (no improvement for that many epochs), "settled" (the loss no longer fell, and
        the learning rate then did) or "not finite"
    problem : one line about what went wrong, empty when nothing did
    unfinished : one line about why the training may not have converged, empty when it has

    >>> history = History(np.array([0.6, 0.4]), np.array([0.5, 0.45]), best=1, stopped="epochs")
    >>> history.check()
    """

    train: Float[np.ndarray, " epoch"]
    validation: Float[np.ndarray, " epoch"]
    best: int
    stopped: str
    problem: str = ""
    unfinished: str = ""

    def check(self) -> None:
        """Check that the training ended without a problem.

        Raises
        ------
        InputError : when it did not; the last good network is kept all the same
        """
        if self.problem:
            raise InputError("training", self.problem, "a finite loss", "the network of the best epoch is kept")


def train_runs(runs: Sequence[Run], loss: Loss, events: Events, training: Training) -> tuple[Any, tuple[History, ...]]:
    """Train every run on its rows of ``events``; the networks come back stacked, with a leading axis ``run``.

    With early stopping (Prechelt, 1998), as :func:`verax.learn.train`, which trains one. Every epoch has the same number of
    batches of one size, at most ``training.batch``: the split of the smallest run that leaves the fewest rows out. Those
    left out (fewer than there are batches, plus what a run has more than the smallest one) are others in each epoch,
    because the rows are shuffled.

    Parameters
    ----------
    runs : trainings on rows of ``events``, with networks of one shape
    loss : ``(network, batch of events, key) → scalar``
    events : the table that they share; each run has weights of its own
    training : epochs, batches, learning rate and the like

    Raises
    ------
    InputError : when a run has no rows, or when only some have a validation part

    >>> from verax.events import make_events
    >>> from verax.learn import CrossEntropy, blank
    >>> x = np.linspace(-1, 1, 64)
    >>> table = make_events({"x": x}, process=(x > 0).astype(int), processes=("b", "s"))
    >>> starts, rows = [blank(("x",), width=8, depth=1)] * 2, np.arange(64)
    >>> runs = [Run(jax.random.key(i), start, np.ones(64), rows, rows[:0]) for i, start in enumerate(starts)]
    >>> networks, histories = train_runs(runs, CrossEntropy(("s",)), table, Training(epochs=1))
    >>> networks.layers[0].weight.shape, len(histories)  # run, unit, feature
    ((2, 8, 1), 2)
    """
    learnt, held_out = [len(run.rows) for run in runs], [len(run.held_out) for run in runs]
    batches = _batches(learnt, training.batch, "training part")
    # Short passes are taken together, where nobody says how many.
    passes = 1 if training.epochs is not None else -(-LEAST_ROUND // batches[0])
    most = training.epochs or max(50, 0 if training.optimizer else -(-MOST_STEPS // (passes * batches[0])))
    held = _batches(held_out, max(training.batch, 8192), "validation part", optional=True)
    plan = _Plan(batches, held, training, passes, most)
    x, weight = jnp.asarray(events.x, jnp.float32), jnp.asarray(runs[0].weight, jnp.float32)
    process, number = jnp.asarray(events.process), jnp.asarray(events.number)
    table = Events(x, weight, process, number, events.columns, events.processes)
    shared = (table, loss, training.make_optimizer(most * plan.steps))
    together = jax.default_backend() != "cpu" if training.vmapped is None else training.vmapped
    groups = [list(runs)] if together else [[run] for run in runs]
    counter = _ProgressCounter(training.progress, len(groups) * most)
    train = functools.partial(_train_group, shared, plan, epoch_of_all if together else epoch_of_one, counter)
    with side_by_side() as threads:
        try:
            found = list(threads.map(train, groups) if len(groups) > 1 else map(train, groups))
        finally:
            counter.closed.set()
    networks, histories = zip(*found, strict=True)
    return jax.tree.map(lambda *a: jnp.concatenate(a) if eqx.is_array(a[0]) else a[0], *networks), sum(histories, ())


class _Plan(NamedTuple):
    """Shapes and options that all runs share; ``train`` and ``held_out`` are (number of batches, rows of a batch).

    An epoch has ``passes`` over the training part, and there are at most ``most`` of them.
    """

    train: tuple[int, int]
    held_out: tuple[int, int]
    training: Training
    passes: int
    most: int

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return self.passes * self.train[0]


def _batches(lengths: Sequence[int], batch: int, what: str, *, optional: bool = False) -> tuple[int, int]:
    """Number and size of the batches that fit in the shortest run."""
    shortest = min(lengths)
    if optional and not any(lengths):
        return 0, 1
    if shortest == 0:
        raise InputError(what, "a run without events", "events in every run", "use fewer folds, or more events")
    number = -(-shortest // batch)  # ⌈n/B⌉ batches of ⌊n/⌈n/B⌉⌋ rows: fewer than ⌈n/B⌉ rows are left out
    return number, shortest // number


class _ProgressCounter:
    """Counts the epochs of groups that train side by side; their first epochs wait for each other, to compile once."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0
        self.first, self.lock, self.closed = Lock(), Lock(), Event()

    def count(self, loss: float, epochs: int = 1) -> None:
        with self.lock:
            self.done += epochs
            if self.progress is not None:
                self.progress(self.done, self.total, loss)


def _train_group(
    shared: tuple[Any, ...], plan: _Plan, advance: Callable[..., Any], counter: _ProgressCounter, runs: list[Run]
) -> tuple[Any, tuple[History, ...]]:
    """Epochs of the runs that advance together, until each has stopped."""
    options, (table, loss, _) = plan.training, shared
    shufflers = [np.random.default_rng(np.ravel(jax.random.key_data(run.key)).tolist()) for run in runs]
    held_out = np.stack([_rows(r, run.held_out, plan.held_out) for r, run in zip(shufflers, runs, strict=True)])
    paced = not plan.held_out[0] and is_comparable(loss)
    schedule = paced and options.optimizer is None
    paces = [Pace(plan.steps, plan.most, schedule, tolerance_of(run.network, run.weight, run.rows)) for run in runs]
    weight = np.stack([run.weight for run in runs]).astype(np.float32)
    keys = jnp.stack([run.key for run in runs])
    network = stack([run.network for run in runs])
    state = first_state(network, shared[2])
    fixed = [jax.device_put(a) for a in (weight, held_out)]
    train, validation, improved = [], [], []
    ended = [-1] * len(runs)

    def units(i: int) -> float:
        network, run = jax.tree.map(lambda a: a[i] if eqx.is_array(a) else a, state.network), runs[i]
        return units_of(network, loss, table, run.weight, run.rows, run.key)

    for epoch in range(plan.most):
        rows = np.stack([_passes(r, run.rows, plan) for r, run in zip(shufflers, runs, strict=True)])
        active = jnp.asarray([end < 0 for end in ended])
        rates = np.stack([pace.rates() for pace in paces])
        with counter.first if epoch == 0 else nullcontext():
            state, outcome = advance(state, (fixed[0], rows, fixed[1], keys, active, rates), jnp.int32(epoch), shared)
        train.append(np.asarray(outcome.losses, np.float64))
        validation.append(np.asarray(outcome.validation, np.float64))
        improved.append(np.asarray(outcome.improved))
        monitored = validation[-1] if plan.held_out[0] else train[-1].mean(axis=1)
        broken = ~(np.isfinite(train[-1]).all(axis=1) & np.isfinite(monitored))
        # Early stopping: the last ``patience`` epochs brought no validation loss below the best one.
        impatient = plan.held_out[0] > 0 and is_comparable(loss) and len(improved) > options.patience
        for i in np.flatnonzero([end < 0 for end in ended]):
            enough = impatient and not any(good[i] for good in improved[-options.patience :])
            if broken[i] or enough or (paced and paces[i].after(float(monitored[i]), functools.partial(units, int(i)))):
                ended[i] = epoch
        over = min(ended) >= 0 or counter.closed.is_set()
        counter.count(float(np.mean(monitored)), plan.most - epoch if over else 1)
        if over:
            break
    histories = []
    for run, (end, pace) in enumerate(zip(ended, paces, strict=True)):
        # Epochs after a run's own end are those of the group: they are no part of its history.
        last = end if end >= 0 else len(train) - 1
        own = (np.asarray([each[run] for each in part[: last + 1]]) for part in (train, validation, improved))
        losses, held, better = own
        stopped, line = "epochs" if end < 0 else "patience", pace.line
        if paced:
            stopped = "settled" if pace.settled and schedule else "epochs"
        elif end < 0 and is_comparable(loss):
            line = judge_stopped(held, options.patience, functools.partial(units, run), pace.tolerance)
        histories.append(_history(losses, held, better, stopped, plan, line))
    return state.best, tuple(histories)


def _passes(shuffler: np.random.Generator, rows: np.ndarray, plan: _Plan) -> np.ndarray:
    """The batches of an epoch, each pass shuffled anew."""
    return np.concatenate([_rows(shuffler, rows, plan.train) for _ in range(plan.passes)])


def _rows(shuffler: np.random.Generator, rows: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Shuffled rows in batches; NumPy shuffles many times faster than JAX does on a CPU."""
    return shuffler.permutation(rows)[: shape[0] * shape[1]].reshape(shape).astype(np.int32)


def _history(
    losses: np.ndarray, validation: np.ndarray, improved: np.ndarray, stopped: str, plan: _Plan, unfinished: str
) -> History:
    """The record of one run from ``losses[epoch, step]``, up to the epoch in which it stopped."""
    last, problem = len(losses) - 1, ""
    if not np.isfinite(losses[-1]).all() or (plan.held_out[0] and not np.isfinite(validation[-1])):
        stopped = "not finite"
        bad = ~np.isfinite(losses[-1])
        step = int(np.argmax(bad)) if bad.any() else losses.shape[1] - 1
        cause = "a learning rate that is too large, or a loss without lower bound (regions of negative total weight)"
        cause = "NaN or infinite features or weights" if last == step == 0 else cause
        options = plan.training
        rate = "that of the given optimizer" if options.optimizer else f"{options.learning_rate:g}"
        problem = f"loss not finite in epoch {last}, step {step}, learning rate {rate}; likely cause: {cause}"
    best = int(np.flatnonzero(improved)[-1]) if improved.any() else -1
    return History(losses.mean(axis=1), validation, best, stopped, problem, "" if problem else unfinished)
