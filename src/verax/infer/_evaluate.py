"""−log L and its derivatives in a batch of fits: few by NumPy, many by one compiled program for each size of batch.

Fitting toys, profiling, finding interval ends and ranking differ only in the data set, the starting point and the free
parameters of each fit, so all share the compiled derivatives of their model.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from verax.arrays import jitted, namespace, plus_diagonal
from verax.model import AbstractLikelihood, Data, DataSets

WORKING_SET = 250_000
"""Fits × parameters × observations to stay below: a batch that falls out of the processor's cache is slower."""

LARGEST_BATCH = 100 * WORKING_SET
"""Likewise for likelihoods of which one alone falls out of it: for the sake of memory."""

FEW_FITS, FEW_SETS = 512, 8
"""Up to as many fits of as many data sets a likelihood in closed form is not worth a compilation: toys are more."""

FEW_EVALUATIONS = 2000
"""Evaluations of a minimisation that NumPy makes; one that takes more is worth a compilation after all."""

Limits = tuple[np.ndarray, np.ndarray]
"""Lower and upper bound of each parameter; one whose bounds are equal is fixed there."""

Values: TypeAlias = Mapping[str, float] | None
"""Values of some parameters by name; None for those of none."""


class Point(NamedTuple):
    """−log L and its derivatives, each parameter in the unit u in which its typical curvature is 1: u g and u H u.

    ``slope`` is the gradient in the parameters' own units. A parameter that is fixed, or pressed against a
    bound, has unit 0, gradient 0 and a row of the identity.
    """

    theta: Any
    nll: Any
    slope: Any
    gradient: Any
    hessian: Any
    rate_curvature: Any
    unit: Any
    even_slope: Any
    end: Any


def bounds(model: AbstractLikelihood, fixed: Values = None) -> Limits:
    """Lower and upper bounds of the parameters; those that are ``fixed`` have none but their value."""
    fixed = fixed or {}
    both = [(fixed[p.name],) * 2 if p.name in fixed else p.bounds for p in model.parameters]
    lower, upper = np.array(both, np.float64).reshape(-1, 2).T
    return lower, upper


def batch_sizes(work: int) -> tuple[int, ...]:
    """Fits per evaluation, for the work that one of them is; a batch is padded to the next of these sizes.

    There are two, so that few shapes are ever compiled; the largest keeps a batch within the processor's cache. Where one
    fit does not fit into it there are more, since padding costs more than compiling.

    >>> batch_sizes(10 * 15), batch_sizes(33 * 100), batch_sizes(103 * 1000), batch_sizes(3 * 10**6)
    ((16, 256), (16, 64), (1, 16), (1, 2, 4, 8))
    """
    if work > WORKING_SET:
        return (1, *[b for b in (2, 4, 8, 16) if b * work <= LARGEST_BATCH])
    return next(((16, b) for b in (256, 64) if b * work <= WORKING_SET), (1, 16))


class Objective(NamedTuple):
    """−log L of fits: the model, the data set of each, which parameters are free [fit, parameter], and their bounds."""

    model: AbstractLikelihood
    data: DataSets
    free: np.ndarray
    limits: Limits

    def take(self, rows: np.ndarray) -> "Objective":
        """Those of some fits."""
        return self._replace(data=self.data[rows], free=self.free[rows])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Fits per evaluation, see :func:`batch_sizes`; one where NumPy's matrices of one fill the processor's cache."""
        large = len(self.model.parameters) ** 2 > WORKING_SET
        return (1,) if large and few(self.model, self.data) else batch_sizes(self.model.work(self.data.batch))

    def evaluate(self, theta: np.ndarray, sizes: tuple[int, ...], done: int = 0) -> Point:
        """−log L and its derivatives at a point of each fit; where they are compiled, padded to one of the ``sizes``.

        ``done`` are evaluations for the same purpose before: NumPy makes the first ``FEW_EVALUATIONS``.
        """
        model, data, free, limits = self
        fits = len(theta)
        if done < FEW_EVALUATIONS and few(model, data):
            with np.errstate(all="ignore"):
                each = [_evaluate_one(model, data.one(i), theta[i], free[i], *limits) for i in range(fits)]
            return Point(*(np.stack(x) for x in zip(*each, strict=True)))
        import jax

        size = next(b for b in sizes if b >= fits)
        row = np.minimum(np.arange(size), fits - 1)
        # A large data set is not copied for each fit; small ones are, so that one program serves one and many.
        shared = data.alone and model.work(data.batch) > WORKING_SET
        here = data.one() if shared else data[row].gather()
        with jax.enable_x64(True):
            point = _evaluate(model, here, theta[row], free[row], *limits)
            return Point(*(np.asarray(x)[:fits] for x in point))

    def evaluate_many(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """−log L and the units of the parameters at any number of points, the largest size at a time."""
        sizes, parts = self.sizes, []
        for first in range(0, len(theta), sizes[-1]):
            part = np.arange(first, min(first + sizes[-1], len(theta)))
            at = self.take(part).evaluate(theta[part], sizes)
            parts.append((at.nll, at.unit))
        nll, unit = (np.concatenate(x) for x in zip(*parts, strict=True))
        return nll, unit


def few(model: AbstractLikelihood, data: DataSets) -> bool:
    """Whether NumPy makes these fits; it depends on nothing else, so that the same fits have the same bits."""
    return model.in_closed_form and len(data) <= FEW_FITS and len(set(data.index.tolist())) <= FEW_SETS


@jitted
def _evaluate(model: AbstractLikelihood, data: Data, theta: Any, free: Any, lower: Any, upper: Any) -> Point:
    import jax

    def one(own: Data, values: Any, moves: Any) -> Point:
        return _evaluate_one(model, own, values, moves, lower, upper)

    points: Point = jax.vmap(one, (data.axes if data.is_batch else None, 0, 0))(data, theta, free)
    return points


def _evaluate_one(model: AbstractLikelihood, data: Data, theta: Any, free: Any, lower: Any, upper: Any) -> Point:
    at, xp = model.derivatives(theta, data), namespace(theta)
    # A bound holds a parameter where −log L falls beyond it (a first-order condition of Karush, Kuhn and Tucker).
    held = ((theta <= lower) & (at.gradient > 0)) | ((theta >= upper) & (at.gradient < 0))
    unit = xp.where(free & ~held, 1 / xp.sqrt(at.scale), 0.0)
    outer = unit[:, None] * unit
    hessian = plus_diagonal(outer * at.hessian, xp.where(unit == 0, 1.0, 0.0))
    rate_curvature = outer * at.rate_curvature
    return Point(theta, at.nll, at.gradient, unit * at.gradient, hessian, rate_curvature, unit, at.even_slope, at.end)
