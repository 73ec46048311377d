"""A fast way down for many data sets of one model: quasi-Newton on matrix products, with no exact Hessian.

Each lane starts with Gauss and Newton's matrix at its own start, to single precision, and improves its inverse by its
own last few steps (L-BFGS, Math. Comp. 35 (1980) 773, with a full matrix in place of the usual multiple of 1). Lanes are
on the last axis. One that is stopped by bounds goes on along them, and leaves them where −log L falls inside; one that
does not get on is left to :func:`verax.infer`. Blocks of lanes go down side by side, one on each core: XLA alone
leaves all but one waiting.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from verax.arrays import Array
from verax.model import AbstractBatched, Batched, DataSets
from verax.run import side_by_side

MEMORY = 4
"""Steps from which a lane improves its inverse Hessian."""

LANES = 64
"""Lanes that go down together."""

TURN = 8
"""Evaluations after which a lane goes to the end of the queue, to go on from where it is: its way is its own alone."""

STEPS = 48
"""Evaluations after which a lane is left to the exact way."""

LOOSE = 1e-4
"""Least stiffness of a parameter that only the data constrain, in units of what they do."""

SHORT = 0.02
"""Share of a step below which a lane does not get on."""

ACTIVE, ARRIVED, LEFT = 0, 1, 2


@dataclass(frozen=True)
class Descent:
    """Where each lane got; ``slope`` is the gradient of −log L in all parameters. Only where ``arrived`` is it a minimum.

    ``pinned`` [lane, parameter] are at a bound, and −log L falls beyond it.
    """

    theta: np.ndarray
    slope: np.ndarray
    even_slope: np.ndarray
    nll: np.ndarray
    edm: np.ndarray
    steps: np.ndarray
    arrived: np.ndarray
    pinned: np.ndarray


class Lane(NamedTuple):
    """The lanes on their way [..., lane]: data, best point, direction and share of it to try, last steps and yields."""

    packed: Any
    theta: Any
    value: Any
    slope: Any
    even: Any
    direction: Any
    share: Any
    edm: Any
    taken: Any
    change: Any
    weight: Any
    count: Any
    state: Any


def _advance(terms: AbstractBatched, inverse: "Inverse", lower: Array, upper: Array, edm: Array, lane: Lane) -> Lane:
    """One evaluation of every lane, and where to go next."""
    trial = lane.theta + lane.share * lane.direction
    value, slope, even, negative = terms.value_and_slope(trial, lane.packed)
    active = lane.state == ACTIVE
    accept = active & (value <= lane.value + 1e-13 * jnp.abs(value))
    step, change = lane.share * lane.direction, slope - lane.slope
    product = (step * change).sum(0)
    useful = accept & (product > 1e-12 * (change**2).sum(0) ** 0.5 * (step**2).sum(0) ** 0.5)
    weight = jnp.where(useful, 1 / jnp.where(useful, product, 1.0), 0.0)
    taken, changed, weights = (
        jnp.concatenate([jnp.where(useful, new, 0.0)[None], old[:-1]])
        for new, old in ((step, lane.taken), (change, lane.change), (weight, lane.weight))
    )
    slope = jnp.where(accept, slope, lane.slope)

    rest: Any = slope
    shares: list[Any] = []
    for k in range(MEMORY):
        shares.append(weights[k] * (taken[k] * rest).sum(0))
        rest = rest - shares[k] * changed[k]
    way = inverse.times(rest)
    for k in reversed(range(MEMORY)):
        way = way + taken[k] * (shares[k] - weights[k] * (changed[k] * way).sum(0))

    theta = jnp.where(accept, trial, lane.theta)
    direction = jnp.where(accept, -way, lane.direction)
    room = _room(theta, direction, lower, upper).min(0)
    share = jnp.where(accept, jnp.minimum(1.0, room), 0.3 * lane.share)
    distance = jnp.where(accept, 0.5 * (slope * way).sum(0), lane.edm)
    count = lane.count + active
    close = accept & (distance < edm) & (distance >= 0)
    arrived = close & ~negative
    lost = active & ~arrived & (close | (share < SHORT) | (distance < 0) | ~jnp.isfinite(distance))
    return Lane(
        lane.packed,
        theta,
        jnp.where(accept, value, lane.value),
        slope,
        even,  # of a lane that has arrived, a step below the tolerance away
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
    """[parameter, lane]: the share of the way that each parameter can go without meeting a bound."""
    room: Any = jnp.where(direction > 0, upper - theta, theta - lower)
    return jnp.where(direction == 0, jnp.inf, 0.9 * room / jnp.maximum(jnp.abs(direction), 1e-300))


class Inverse(NamedTuple):
    """Of Gauss and Newton's matrix in each lane: ``core`` or, where there are rows, 1 − rows · core · rowsᵀ; in units."""

    unit: Any
    rows: Any
    core: Any

    def times(self, vector: Array) -> Array:
        """[parameter, lane]: their products with a vector each."""
        vector = self.unit * vector
        if self.rows is None:
            return self.unit * (self.core * vector).sum(1)
        inner = (self.core * (self.rows * vector[:, None]).sum(0)).sum(1)
        return self.unit * (vector - (self.rows * inner).sum(1))


def _inverse(terms: AbstractBatched, moves: Array, steep: Array) -> Inverse:
    """From the ``whitened_jacobian`` [parameter, observation, lane], in the smaller of the two spaces."""
    size, cells, _ = steep.shape
    narrow = size <= cells
    steep = steep if narrow else steep.astype(float)  # what is taken away from 1 there leaves little
    stiffness = terms.prior_precision.astype(steep.dtype)
    if narrow:
        each = jnp.moveaxis(steep, 2, 0)
        square = jnp.moveaxis(jnp.einsum("lkb,ljb->lkj", each, each), 0, 2)
        strength = jnp.diagonal(square).T
    else:
        strength = (steep**2).sum(1)
    unit = jax.lax.rsqrt(jnp.maximum(stiffness + strength, 1e-30))
    prior = jnp.maximum(stiffness * unit**2, LOOSE)
    inner = jnp.where(moves, jnp.sqrt(1 / prior) * unit, 0.0)  # by which the prior is 1
    if narrow:
        rows, square = None, inner[:, None] * square * inner
    else:
        rows = steep * inner[:, None]
        each = jnp.moveaxis(rows, 2, 0)
        square = jnp.moveaxis(jnp.einsum("lkb,lkc->lbc", each, each), 0, 2)
    core = _inverted(square + jnp.eye(len(square), dtype=steep.dtype)[:, :, None])
    return Inverse(inner.astype(float), rows, core.astype(float))


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
def _descend(terms: AbstractBatched, lower: Array, upper: Array, edm: Array, entering: Array, waiting: Array) -> Array:
    """Go down from the rows of ``entering`` (data, start, and 1 where a parameter moves), one turn.

    Says of each lane where it is: the columns of :class:`Descent`, parameters in order, its state, and which parameter
    is nearest to a bound on the way ahead, in units of the step.
    """
    lanes, size = len(entering), len(lower)
    packed, theta, moves = entering.T[: -2 * size], entering.T[-2 * size : -size], entering.T[-size:]
    moves = moves > 0
    value, slope, even, _ = terms.value_and_slope(theta, packed)
    inverse = _inverse(terms, moves, terms.whitened_jacobian(theta, packed))
    way = inverse.times(slope)
    memory = jnp.zeros((MEMORY, size, lanes))
    lane = Lane(
        packed,
        theta,
        value,
        slope,
        even,
        -way,
        jnp.minimum(1.0, _room(theta, -way, lower, upper).min(0)),
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
        return at[0] + 1, _advance(terms, inverse, lower, upper, edm, at[1])

    _, lane = jax.lax.while_loop(on, body, (jnp.zeros((), int), lane))
    room: Any = _room(lane.theta, lane.direction, lower, upper)
    report = jnp.stack([lane.value, lane.edm, lane.count * 1.0, lane.state * 1.0, room.min(0), room.argmin(0) * 1.0])
    return jnp.concatenate([lane.theta, lane.slope, lane.even, report]).T


def descend(
    batched: Batched,
    data: DataSets,
    start: np.ndarray,
    moves: np.ndarray,
    limits: tuple[np.ndarray, np.ndarray],
    edm: float,
) -> Descent:
    """Go down in every lane, [lane] of ``data`` and ``start``, in the parameters that ``moves`` [parameter] says."""
    terms, order, pack, constant = batched
    (lanes, size), sets = start.shape, data.gather()
    entering = np.concatenate([pack(sets), start[:, order], np.broadcast_to(moves[order], start.shape)], axis=1)
    theta, moving = entering[:, -2 * size : -size], entering[:, -size:]
    lower, upper = (np.where(moves, x, s * np.inf)[order] for x, s in zip(limits, (-1, 1), strict=True))
    found, steps = np.zeros((lanes, 3 * size + 6)), np.zeros(lanes, int)
    with jax.enable_x64(True):
        fixed = jax.device_put((terms, lower[:, None], upper[:, None], edm))

    def turn(block: np.ndarray) -> np.ndarray:
        row = block[np.minimum(np.arange(LANES), len(block) - 1)]
        with jax.enable_x64(True):
            return np.asarray(_descend(*fixed, entering[row], np.arange(LANES) < len(block)))[: len(block)]

    queue, arrived = np.arange(lanes), np.zeros(lanes, bool)
    with side_by_side() as threads:
        while queue.size:
            blocks = np.split(queue, range(LANES, len(queue), LANES))
            compiled = turn(blocks[0])  # once, not on every core
            found[queue] = np.concatenate([compiled, *threads.map(turn, blocks[1:])])
            *_, taken, state, room, nearest = found[queue].T
            steps[queue] += taken.astype(int)
            theta[queue] = found[queue, :size]
            inward = np.where(theta[queue] == lower, -1, 1) * found[queue, size : 2 * size] > 0
            freed = (state == ARRIVED)[:, None] & moves[order] & (moving[queue] == 0) & inward
            moving[queue] += freed
            arrived[queue] = (state == ARRIVED) & ~freed.any(axis=1)
            stopped = (state == LEFT) & (room < SHORT)
            at, i = queue[stopped], nearest[stopped].astype(int)
            theta[at, i] = np.where(theta[at, i] - lower[i] < upper[i] - theta[at, i], lower[i], upper[i])
            moving[at, i] = 0.0
            queue = queue[((state == ACTIVE) | stopped | freed.any(axis=1)) & (steps[queue] < STEPS)]
    back = np.argsort(order)
    pinned = moves[order] & (moving == 0)
    nll, distance = found[:, 3 * size : 3 * size + 2].T
    return Descent(
        theta[:, back],
        found[:, size + back],
        found[:, 2 * size + back],
        nll + constant(sets),
        distance,
        steps,
        arrived,
        pinned[:, back],
    )
