"""A fast way down for many data sets of one model: quasi-Newton with one shared inverse Hessian, without matrices per lane.

Each lane starts with the inverse Hessian of the expected data set and improves it by its own last few steps (L-BFGS,
Math. Comp. 35 (1980) 773, with a full matrix in place of the usual multiple of 1). The gradients of all lanes are matrix
products. Lanes are on the last axis. One that does not get on is left to :func:`verax.infer.minimise`.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from verax.arrays import Array
from verax.model.binned import BinnedLikelihood
from verax.model.lanes import LaneLikelihood, lane_constant, lane_likelihood
from verax.model.likelihood import Data

MEMORY = 5
"""Steps from which a lane improves its inverse Hessian."""

LANES = 64
"""Lanes that go down together."""

REST = 0.3
"""Share of the lanes still on their way when those that arrived are replaced by new ones."""

STEPS = 25
"""Evaluations after which a lane is left to the exact way."""

ACTIVE, ARRIVED, LEFT = 0, 1, 2


@dataclass(frozen=True)
class Descent:
    """Where each lane got; ``slope`` is the gradient of −log L in all parameters. Only where ``arrived`` is it a minimum."""

    theta: np.ndarray
    slope: np.ndarray
    nll: np.ndarray
    edm: np.ndarray
    steps: np.ndarray
    arrived: np.ndarray


class Lane(NamedTuple):
    """The lanes on their way [..., lane]: data, best point, direction and share of it to try, last steps and yields."""

    counts: Any
    auxiliary: Any
    observed: Any
    theta: Any
    value: Any
    slope: Any
    direction: Any
    share: Any
    edm: Any
    taken: Any
    change: Any
    weight: Any
    count: Any
    state: Any


def _advance(
    terms: LaneLikelihood, inverse: Array, lower: Array, upper: Array, edm: Array, turn: Array, lane: Lane
) -> Lane:
    """One evaluation of every lane, and where to go next. ``turn`` counts the calls."""
    trial = lane.theta + lane.share * lane.direction
    value, slope = terms.value_and_slope(trial, lane.counts, lane.auxiliary, lane.observed)
    active = lane.state == ACTIVE
    accept = active & (value <= lane.value + 1e-13 * jnp.abs(value))
    first = jnp.isinf(lane.value)
    step, change = lane.share * lane.direction, slope - lane.slope
    product = (step * change).sum(0)
    useful = accept & ~first & (product > 1e-12 * (change**2).sum(0) ** 0.5 * (step**2).sum(0) ** 0.5)
    weight = jnp.where(useful, 1 / jnp.where(useful, product, 1.0), 0.0)
    slot = turn % MEMORY
    taken = lane.taken.at[slot].set(jnp.where(useful, step, 0.0))
    changed = lane.change.at[slot].set(jnp.where(useful, change, 0.0))
    weights = lane.weight.at[slot].set(weight)
    slope = jnp.where(accept, slope, lane.slope)

    rest, shares = slope, []
    for back in range(MEMORY):
        k = (turn - back) % MEMORY
        shares.append(weights[k] * (taken[k] * rest).sum(0))
        rest = rest - shares[-1] * changed[k]
    way = inverse @ rest
    for back in reversed(range(MEMORY)):
        k = (turn - back) % MEMORY
        way = way + taken[k] * (shares[back] - weights[k] * (changed[k] * way).sum(0))

    theta = jnp.where(accept, trial, lane.theta)
    direction = jnp.where(accept, -way, lane.direction)
    room = jnp.where(direction > 0, upper - theta, theta - lower) / jnp.maximum(abs(direction), 1e-300)
    share = jnp.where(accept, jnp.minimum(1.0, 0.9 * room.min(0)), 0.3 * lane.share)
    distance = jnp.where(accept, 0.5 * (slope * way).sum(0), lane.edm)
    count = lane.count + active
    arrived = accept & (distance < edm) & (distance >= 0)
    lost = active & ~arrived & ((share < 0.02) | (count >= STEPS) | (distance < 0) | ~jnp.isfinite(distance))
    return Lane(
        lane.counts,
        lane.auxiliary,
        lane.observed,
        theta,
        jnp.where(accept, value, lane.value),
        slope,
        direction,
        share,
        distance,
        taken,
        changed,
        weights,
        count,
        jnp.where(arrived, ARRIVED, jnp.where(lost, LEFT, lane.state)),
    )


@jax.jit
def _round(
    terms: LaneLikelihood,
    inverse: Array,
    lower: Array,
    upper: Array,
    edm: Array | float,
    least: Array | int,
    lane: Lane,
    fresh: Array,
    entering: Array,
    turn: Array,
) -> tuple[Lane, Array, Array]:
    """New lanes, rows of ``entering``, take the places ``fresh``; then all go on until ``least`` are on their way.

    The last array says of each lane where it is: the columns of :class:`Descent`, parameters in order.
    """
    bins, size = lane.counts.shape[:2], len(lane.theta)
    cells = bins[0] * bins[1]
    new = jnp.split(entering.T, np.cumsum([cells, cells, size]))
    counts, auxiliary, observed, start = (
        jnp.where(fresh, x.reshape(old.shape), old)
        for x, old in zip(new, (lane.counts, lane.auxiliary, lane.observed, lane.theta), strict=True)
    )
    lane = Lane(
        counts,
        auxiliary,
        observed,
        start,
        jnp.where(fresh, jnp.inf, lane.value),
        jnp.where(fresh, 0.0, lane.slope),
        jnp.where(fresh, 0.0, lane.direction),
        jnp.where(fresh, 1.0, lane.share),
        jnp.where(fresh, jnp.inf, lane.edm),
        jnp.where(fresh, 0.0, lane.taken),
        jnp.where(fresh, 0.0, lane.change),
        jnp.where(fresh, 0.0, lane.weight),
        jnp.where(fresh, 0, lane.count),
        jnp.where(fresh, ACTIVE, lane.state),
    )

    def on(at: tuple[Array, Lane]) -> Array:
        return jnp.sum(at[1].state == ACTIVE) > least

    def body(at: tuple[Array, Lane]) -> tuple[Array, Lane]:
        return at[0] + 1, _advance(terms, inverse, lower, upper, jnp.asarray(edm), at[0], at[1])

    turn, lane = jax.lax.while_loop(on, body, (turn, lane))
    report = [lane.theta, lane.slope, jnp.stack([lane.value, lane.edm, lane.count * 1.0, lane.state * 1.0])]
    return lane, turn, jnp.concatenate(report).T


def descend(
    model: BinnedLikelihood,
    data: Data,
    start: np.ndarray,
    inverse: np.ndarray,
    limits: tuple[np.ndarray, np.ndarray],
    edm: float,
) -> Descent | None:
    """Go down in every lane, with the ``inverse`` Hessian of all [parameter, parameter], zero where one is fixed.

    None where the likelihood is not one that :func:`verax.model.lanes.lane_likelihood` knows. ``data`` and ``start``
    have a leading lane axis. A parameter that would leave its bounds ends the descent.
    """
    known = lane_likelihood(model)
    if known is None:
        return None
    terms, order = known
    lanes, size = start.shape
    layout = model.layout
    channels, slots = len(layout.bins), max(layout.bins)
    cells = layout.channel * slots + layout.slot
    constrained = [i for i, p in enumerate(model.parameters) if p.constraint is not None]
    counts, auxiliary = np.asarray(data.counts), np.asarray(data.auxiliary)
    gamma = auxiliary[:, len(constrained) :] if model.simulation_statistics else 1.0
    observed = np.zeros((lanes, size))
    observed[:, constrained] = auxiliary[:, : len(constrained)]
    entering = np.zeros((lanes, 2 * (channels * slots + size)))
    entering[:, cells], entering[:, channels * slots + cells] = counts, gamma
    entering[:, -2 * size :] = np.concatenate([observed[:, order], start[:, order]], axis=1)
    moves = np.diagonal(inverse) > 0
    lower, upper = (np.where(moves, x, s * np.inf)[order][:, None] for x, s in zip(limits, (-1, 1), strict=True))
    found = np.zeros((lanes, 2 * size + 4))
    index, waiting = np.full(LANES, -1), 0
    with jax.enable_x64(True):
        fixed = jax.device_put((terms, inverse[np.ix_(order, order)], lower, upper, edm))
        at, turn = _empty(channels, slots, size), jnp.zeros((), int)
        while True:
            places = np.flatnonzero(index < 0)[: lanes - waiting]
            index[places] = waiting + np.arange(len(places))
            waiting += len(places)
            if (index < 0).all():
                break
            fresh = np.zeros(LANES, bool)
            fresh[places] = True
            least = int(REST * LANES) if waiting < lanes else 0
            at, turn, report = _round(*fixed, least, at, fresh, entering[np.maximum(index, 0)], turn)
            where = np.asarray(report)
            out = np.flatnonzero((index >= 0) & (where[:, -1] != ACTIVE))
            found[index[out]], index[out] = where[out], -1
    back = np.argsort(order)
    nll, distance, count, state = found[:, 2 * size :].T
    return Descent(
        found[:, back], found[:, size + back], nll + lane_constant(model, counts), distance, count.astype(int),
        state == ARRIVED,
    )  # fmt: skip


def _empty(channels: int, slots: int, size: int) -> Lane:
    """Nobody on the way."""
    bins, vector = jnp.ones((channels, slots, LANES)), jnp.zeros((size, LANES))
    memory, none = jnp.zeros((MEMORY, size, LANES)), jnp.zeros(LANES)
    return Lane(
        bins, bins, vector, vector, none, vector, vector, none, none, memory, memory, jnp.zeros((MEMORY, LANES)),
        jnp.zeros(LANES, int), jnp.full(LANES, LEFT),
    )  # fmt: skip
