"""A fast way down for many data sets of one model: quasi-Newton on matrix products, with no exact Hessian.

Each lane starts with Gauss and Newton's matrix at its own start, to single precision, and improves its inverse by its
own last few steps (L-BFGS, Math. Comp. 35 (1980) 773, with a full matrix in place of the usual multiple of 1). Lanes are
on the last axis. One that does not get on is left to :func:`verax.infer.minimise`.
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

TURN = 8
"""Evaluations after which a lane goes to the end of the queue, to go on from where it is: its way is its own alone."""

STEPS = 25
"""Evaluations after which a lane is left to the exact way."""

LOOSE = 1e-4
"""Least stiffness of a parameter that only the data constrain, in units of what they do."""

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
    step, change = lane.share * lane.direction, slope - lane.slope
    product = (step * change).sum(0)
    useful = accept & (product > 1e-12 * (change**2).sum(0) ** 0.5 * (step**2).sum(0) ** 0.5)
    weight = jnp.where(useful, 1 / jnp.where(useful, product, 1.0), 0.0)
    slot = turn % MEMORY
    taken = lane.taken.at[slot].set(jnp.where(useful, step, 0.0))
    changed = lane.change.at[slot].set(jnp.where(useful, change, 0.0))
    weights = lane.weight.at[slot].set(weight)
    slope = jnp.where(accept, slope, lane.slope)

    rest: Any = slope
    shares: list[Any] = []
    for back in range(MEMORY):
        k = (turn - back) % MEMORY
        shares.append(weights[k] * (taken[k] * rest).sum(0))
        rest = rest - shares[-1] * changed[k]
    way: Any = (inverse * rest).sum(1)
    for back in reversed(range(MEMORY)):
        k = (turn - back) % MEMORY
        way = way + taken[k] * (shares[back] - weights[k] * (changed[k] * way).sum(0))

    theta = jnp.where(accept, trial, lane.theta)
    direction = jnp.where(accept, -way, lane.direction)
    share = jnp.where(accept, _room(theta, direction, lower, upper), 0.3 * lane.share)
    distance = jnp.where(accept, 0.5 * (slope * way).sum(0), lane.edm)
    count = lane.count + active
    arrived = accept & (distance < edm) & (distance >= 0)
    lost = active & ~arrived & ((share < 0.02) | (distance < 0) | ~jnp.isfinite(distance))
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


def _room(theta: Array, direction: Array, lower: Array, upper: Array) -> Array:
    """[lane]: the share of the way that can be gone without meeting a bound."""
    room: Any = jnp.where(direction > 0, upper - theta, theta - lower) / jnp.maximum(jnp.abs(direction), 1e-300)
    return jnp.minimum(1.0, 0.9 * room.min(0))


def _inverse(terms: LaneLikelihood, moves: Array, steep: Array) -> Array:
    """[parameter, parameter, lane]: of Gauss and Newton's matrix, in the smaller of the spaces of parameters and cells."""
    size, cells, _ = steep.shape
    narrow = size <= cells
    steep = steep if narrow else steep.astype(float)  # what is taken away from 1 there leaves little
    stiffness = jnp.where(moves, terms.stiffness, 1.0).astype(steep.dtype)
    steep = jnp.where(moves[:, :, None], steep, 0.0)
    strength = (steep**2).sum(1)
    unit = jax.lax.rsqrt(jnp.maximum(stiffness + strength, 1e-30))
    prior = jnp.maximum(stiffness * unit**2, LOOSE)
    inner = jnp.sqrt(1 / prior) * unit  # by which the prior is 1
    rows = jnp.moveaxis(steep * inner[:, None], 2, 0)
    square = jnp.einsum("lkb,ljb->lkj", rows, rows) if narrow else jnp.einsum("lkb,lkc->lbc", rows, rows)
    matrix = _inverted(jnp.moveaxis(square, 0, 2) + jnp.eye(min(size, cells), dtype=steep.dtype)[:, :, None])
    if not narrow:
        back = jnp.moveaxis(rows @ jnp.moveaxis(matrix, 2, 0) @ rows.swapaxes(1, 2), 0, 2)
        matrix = jnp.eye(size, dtype=steep.dtype)[:, :, None] - back
    return jnp.where(moves[:, :, None] & moves, matrix * inner[:, None] * inner, 0.0)


def _inverted(matrix: Array) -> Array:
    """Inverses of positive definite matrices [i, i, lane], by elimination (Gauss and Jordan)."""
    own = jnp.eye(len(matrix), dtype=bool)

    def eliminate(i: Array, a: Array) -> Array:
        pivot = 1 / a[i, i]
        row = jnp.where(own[i][:, None], 1.0, a[i]) * pivot
        column = jnp.where(own[i][:, None], 0.0, a[:, i])
        kept = jnp.where(own[i][:, None], 0.0, a)
        return jnp.where(own[i][:, None, None], row, kept - column[:, None] * row)

    return jnp.asarray(jax.lax.fori_loop(0, len(matrix), eliminate, matrix))


@jax.jit
def _descend(
    terms: LaneLikelihood,
    moves: Array,
    lower: Array,
    upper: Array,
    edm: Array,
    entering: Array,
    waiting: Array,
) -> Array:
    """Go down from the rows of ``entering`` (data and start), one turn.

    Says of each lane where it is: the columns of :class:`Descent`, parameters in order, and its state.
    """
    _, channels, slots = terms.grid
    lanes, size = len(entering), len(moves)
    counts, auxiliary, observed, theta = jnp.split(entering.T, np.cumsum([channels * slots] * 2 + [size]))
    counts, auxiliary = (x.reshape(channels, slots, lanes) for x in (counts, auxiliary))
    value, slope = terms.value_and_slope(theta, counts, auxiliary, observed)
    inverse = _inverse(terms, moves, terms.steepness(theta, counts, auxiliary)).astype(theta.dtype)
    way = (inverse * slope).sum(1)
    memory = jnp.zeros((MEMORY, size, lanes))
    lane = Lane(
        counts,
        auxiliary,
        observed,
        theta,
        value,
        slope,
        -way,
        _room(theta, -way, lower, upper),
        0.5 * (slope * way).sum(0),
        memory,
        memory,
        jnp.zeros((MEMORY, lanes)),
        jnp.ones(lanes, int),
        jnp.where(waiting & jnp.isfinite(value), ACTIVE, LEFT),
    )

    def on(at: tuple[Any, Lane]) -> Any:
        return (at[1].state == ACTIVE).any() & (at[0] < TURN - 1)

    def body(at: tuple[Any, Lane]) -> tuple[Any, Lane]:
        return at[0] + 1, _advance(terms, inverse, lower, upper, edm, at[0], at[1])

    _, lane = jax.lax.while_loop(on, body, (jnp.zeros((), int), lane))
    report = jnp.stack([lane.value, lane.edm, lane.count * 1.0, lane.state * 1.0])
    return jnp.concatenate([lane.theta, lane.slope, report]).T


def descend(
    model: BinnedLikelihood,
    data: Data,
    start: np.ndarray,
    moves: np.ndarray,
    limits: tuple[np.ndarray, np.ndarray],
    edm: float,
) -> Descent | None:
    """Go down in every lane in the parameters that ``moves`` [parameter] says.

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
    lower, upper = (np.where(moves, x, s * np.inf)[order][:, None] for x, s in zip(limits, (-1, 1), strict=True))
    found, steps = np.zeros((lanes, 2 * size + 4)), np.zeros(lanes, int)
    queue = np.arange(lanes)
    with jax.enable_x64(True):
        fixed = jax.device_put((terms, moves[order][:, None], lower, upper, edm))
        while queue.size:
            block, queue = queue[:LANES], queue[LANES:]
            row = block[np.minimum(np.arange(LANES), len(block) - 1)]
            report = _descend(*fixed, entering[row], np.arange(LANES) < len(block))
            found[block] = np.asarray(report)[: len(block)]
            steps[block] += found[block, -2].astype(int)
            again = block[(found[block, -1] == ACTIVE) & (steps[block] < STEPS)]
            entering[again, -size:] = found[again, :size]
            queue = np.concatenate([queue, again])
    back = np.argsort(order)
    nll, distance, _, state = found[:, 2 * size :].T
    return Descent(
        found[:, back], found[:, size + back], nll + lane_constant(model, counts), distance, steps, state == ARRIVED
    )
