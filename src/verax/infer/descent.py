"""A fast way down for many data sets of one model: quasi-Newton with one shared inverse Hessian, without matrices per lane.

Each lane starts with the inverse Hessian of the expected data set and improves it by its own last few steps (L-BFGS,
Math. Comp. 35 (1980) 773, with a full matrix in place of the usual multiple of 1). The gradients of all lanes are matrix
products. Lanes are on the last axis. One that does not get on is left to :func:`verax.infer.minimise`.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from verax.arrays import Array
from verax.model.binned import BinnedLikelihood
from verax.model.lanes import LaneLikelihood, lane_constant, lane_likelihood
from verax.model.likelihood import Data

MEMORY = 5
"""Steps from which a lane improves its inverse Hessian."""

LANES = 128
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

    counts: Array
    auxiliary: Array
    observed: Array
    theta: Array
    value: Array
    slope: Array
    direction: Array
    share: Array
    edm: Array
    taken: Array
    change: Array
    weight: Array
    count: Array
    state: Array


def _advance(
    terms: LaneLikelihood, inverse: Array, lower: Array, upper: Array, edm: float, turn: Array, lane: Lane
) -> Lane:
    """One evaluation of every lane, and where to go next. ``turn`` counts the calls."""
    trial = lane.theta + lane.share * lane.direction
    value, slope = terms.value_and_slope(trial, lane.counts, lane.auxiliary, lane.observed)
    active = lane.state == ACTIVE
    accept = active & (value <= lane.value + 1e-13 * abs(value))
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
    edm: Array,
    least: Array,
    lane: Lane,
    fresh: Array,
    entering: tuple[Array, Array, Array, Array],
    turn: Array,
) -> tuple[Lane, Array]:
    """New lanes take the places ``fresh``; then all go on until no more than ``least`` are on their way."""
    counts, auxiliary, observed, start = (
        jnp.where(fresh, new, old)
        for new, old in zip(entering, (lane.counts, lane.auxiliary, lane.observed, lane.theta), strict=True)
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
        return at[0] + 1, _advance(terms, inverse, lower, upper, edm, at[0], at[1])

    turn, lane = jax.lax.while_loop(on, body, (turn, lane))
    return lane, turn


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
    constrained = [i for i, p in enumerate(model.parameters) if p.constraint is not None]
    observed = np.zeros((lanes, size))
    observed[:, constrained] = data.auxiliary[:, : len(constrained)]
    gamma = data.auxiliary[:, len(constrained) :] if model.simulation_statistics else np.ones_like(data.counts)

    def grid(values: np.ndarray, fill: float) -> np.ndarray:
        padded = np.full((channels, slots, len(values)), fill)
        padded[layout.channel, layout.slot] = values.T
        return padded

    moves = np.diagonal(inverse) > 0
    lower, upper = (np.where(moves, x, s * np.inf)[order][:, None] for x, s in zip(limits, (-1, 1), strict=True))
    inverse = inverse[np.ix_(order, order)]
    done = Descent(
        np.array(start), np.full((lanes, size), np.nan), np.full(lanes, np.inf), np.full(lanes, np.inf),
        np.zeros(lanes, int), np.zeros(lanes, bool),
    )  # fmt: skip
    index, waiting = np.full(LANES, -1), 0
    with jax.enable_x64(True):
        terms, inverse, lower, upper = jax.device_put((terms, inverse, lower, upper))
        at, turn = _empty(channels, slots, size), jnp.zeros((), int)
        while True:
            places = np.flatnonzero(index < 0)[: lanes - waiting]
            index[places] = waiting + np.arange(len(places))
            waiting += len(places)
            if (index < 0).all():
                break
            fresh = np.zeros(LANES, bool)
            fresh[places] = True
            row = np.maximum(index, 0)
            entering = (
                grid(data.counts[row], 0.0), grid(gamma[row], 1.0), observed[row].T[order], start[row].T[order]
            )  # fmt: skip
            least = int(REST * LANES) if waiting < lanes else 0
            at, turn = _round(terms, inverse, lower, upper, edm, least, at, fresh, entering, turn)
            state = np.asarray(at.state)
            out = np.flatnonzero((index >= 0) & (state != ACTIVE))
            at_lane = index[out]
            done.theta[np.ix_(at_lane, order)] = np.asarray(at.theta)[:, out].T
            done.slope[np.ix_(at_lane, order)] = np.asarray(at.slope)[:, out].T
            done.nll[at_lane], done.edm[at_lane] = np.asarray(at.value)[out], np.asarray(at.edm)[out]
            done.steps[at_lane], done.arrived[at_lane] = np.asarray(at.count)[out], state[out] == ARRIVED
            index[out] = -1
    done.nll[:] += lane_constant(model, data.counts)
    return done


def _empty(channels: int, slots: int, size: int) -> Lane:
    """Nobody on the way."""
    bins, vector = jnp.ones((channels, slots, LANES)), jnp.zeros((size, LANES))
    memory, none = jnp.zeros((MEMORY, size, LANES)), jnp.zeros(LANES)
    return Lane(
        bins, bins, vector, vector, none, vector, vector, none, none, memory, memory, jnp.zeros((MEMORY, LANES)),
        jnp.zeros(LANES, int), jnp.full(LANES, LEFT),
    )  # fmt: skip
