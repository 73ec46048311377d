"""How a summary responds to parameters: its histogram at any θ, from one simulated sample that moves as a whole.

The same events at every θ: simulation noise is common to a template and its variations, and drops out of slopes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray
from scipy.optimize import brentq

from verax.arrays import Array
from verax.events import Events
from verax.learn import Moments, inputs
from verax.model import BinnedLikelihood, binned_likelihood, code2
from verax.parameters import Gaussian, Parameter, Params
from verax.problems import AbstractProblem
from verax.results import FloatArray
from verax.systematics import Systematic, shift
from verax.templates import Templates, choose_edges

CHUNK = 1 << 13
"""Events at a time: they stay in the cache, and memory is bounded by it."""

NUISANCE_STEP = 1.0
"""Of the templates of a constrained parameter, in units of its prior width; free ones move by ``Response.step``."""


EVEN = 0.2
"""Share of thinned events that is divided evenly among processes."""


def by_process(systematic: Systematic) -> bool:
    """Whether a systematic multiplies the weights of whole processes: it moves no event from bin to bin."""
    return set(systematic.changes) == {"weight"} and not systematic.needs


@dataclass(frozen=True)
class Response:
    """Histograms of a summary of a problem's events at any parameter values.

    Parameters
    ----------
    problem : whose systematics move the events
    networks : with a leading axis ``member``; the score is the mean of its members'
    moments : the score from a network's output; an array of shares instead of a number sorts events into bins
    edges : of the score, or whole numbers 0 … K for a network that sorts
    sample : simulated events at nominal, others than those that the networks learnt from
    step : θ at which the variations of free parameters are taken; a constrained one varies by its prior width
    reach : the same by name, where truths lie further out; interpolation is then quadratic through three points, and
        linear beyond
    simulation : whether the likelihood has a γ for the simulation's statistics in each bin
    """

    problem: AbstractProblem
    networks: Any
    moments: Moments
    edges: tuple[float, ...]
    sample: Events
    step: float = 0.25
    reach: Mapping[str, float] = field(default_factory=dict)
    simulation: bool = False

    def fine(self, params: Params) -> tuple[FloatArray, FloatArray]:
        """Expected events [process, bin] at ``params`` in the bins of ``edges``, and Σw²; μ multiplies the signal."""
        place = tuple(0.0 if by_process(s) else float(params.get(s.name, 0.0)) for s in self.problem.systematics)
        if place not in self._filled:
            # θ are arguments of the compiled function: plain numbers would be constants, and each a program of its own.
            thetas = {s.name: np.float32(theta) for s, theta in zip(self.problem.systematics, place, strict=True)}
            edges = jnp.asarray(self.edges, jnp.float32)
            found = _histogram(self.problem, self.networks, edges, self._chunks, thetas, self.moments)
            self._filled[place] = tuple(np.asarray(part, np.float64) for part in found)
        sums, squares = self._filled[place]
        factor = self._factor(params)[:, None]
        return sums * factor, squares * factor**2

    def _factor(self, params: Params) -> FloatArray:
        """What μ and the systematics that act on whole processes multiply each process by."""
        strength = np.where(np.isin(self.problem.processes, self.problem.signal), params.get("mu", 1.0), 1.0)
        acting = [s for s in self.problem.systematics if by_process(s) and params.get(s.name, 0.0)]
        if not acting:
            return strength
        kinds = np.arange(len(strength), dtype=np.int32)
        one = self.sample.take(np.zeros(len(strength), int))
        each = Events(one.x, np.ones(len(kinds), np.float32), kinds, one.number, one.columns, one.processes)
        moved = shift(each, acting, {s.name: float(params[s.name]) for s in acting})
        return strength * np.asarray(moved.weight, np.float64)

    def __call__(self, params: Params) -> FloatArray:
        """Expected events [process, bin] at ``params``, in bins that are merged until each is sound at nominal."""
        return self.fine(params)[0] @ self._merge

    @cached_property
    def bins(self) -> int:
        """Number of merged bins."""
        return int(self._merge.shape[1])

    @cached_property
    def _filled(self) -> dict[tuple[float, ...], tuple[FloatArray, ...]]:
        """Histograms at the values of the systematics that were asked for: truths and templates share many."""
        return {}

    @cached_property
    def _chunks(self) -> Events:
        n = len(self.sample)
        rows = -(-n // CHUNK) * CHUNK
        filled = self.sample.take(np.minimum(np.arange(rows), n - 1)).reweight(np.arange(rows) < n)
        chunks: Events = jax.tree.map(lambda a: jnp.asarray(a).reshape(-1, CHUNK, *np.shape(a)[1:]), filled)
        return chunks

    @cached_property
    def _merge(self) -> FloatArray:
        nominal, variance = self.fine({})
        empty = np.zeros((0, *nominal.shape))
        fine = Templates(nominal, variance, empty, empty, ("all",), (self.edges,), self.problem.processes, ())
        (edges,) = choose_edges(fine, signal=self.problem.signal, max_bins=len(self.edges), most=True)
        which = np.searchsorted(edges, self.edges[:-1], "right") - 1
        return np.eye(len(edges) - 1)[which]

    def likelihood(self) -> BinnedLikelihood:
        """The model that a measurement would use: templates at nominal and at either side of it.

        Its parameters are counted as :meth:`coordinate` says.
        """
        return self._build({}, [self._sides(s.name, s.one_sided) for s in self.problem.systematics])

    def local(self, params: Params, step: float = 0.05) -> BinnedLikelihood:
        """The model around ``params``, by slopes there: for the information, not to fit far away. Signal at μ = ``mu``."""
        centre = self(params)
        sides = []
        for s in self.problem.systematics:
            at, unit = float(params.get(s.name, 0.0)), self.unit(s.name)
            if s.one_sided:
                slope = (self({**params, s.name: float(np.hypot(at, unit * step**0.5))}) - centre) / step
            else:
                up, down = (self({**params, s.name: at + side * step}) for side in (1, -1))
                slope = (up - down) * (unit / (2 * step))
            sides.append((centre + slope, centre - slope))
        return self._build(params, sides)

    def unit(self, name: str) -> float:
        """θ at which the variations of a systematic are taken, where the likelihood's parameter is 1."""
        parameter = self._systematic(name).parameter
        return self.reach.get(name, self.step if parameter.constraint is None else NUISANCE_STEP)

    def coordinate(self, name: str, theta: float) -> float:
        """The likelihood's parameter at θ: θ in its :meth:`unit`.

        Of a one-sided effect it is the square of that: such an effect widens distributions, and variances add. In θ
        itself the likelihood would have no slope at nominal, and a fit from there would not move.
        """
        ratio = float(theta) / self.unit(name)
        return ratio**2 if self._systematic(name).one_sided else ratio

    def values(self, params: Params) -> dict[str, float]:
        """The parameters of the likelihood at ``params``."""
        thetas = {s.name: float(params.get(s.name, 0.0)) for s in self.problem.systematics}
        return {"mu": float(params.get("mu", 1.0)), **{k: self.coordinate(k, v) for k, v in thetas.items()}}

    def scores(self, params: Params) -> tuple[FloatArray, FloatArray]:
        """Score (or shares) and weight of each event of the sample at ``params``; zero for one that is not selected."""
        thetas = {s.name: np.float32(params.get(s.name, 0.0)) for s in self.problem.systematics}
        found = _scores(self.problem, self.networks, self._chunks, thetas, self.moments)
        score, weight = (np.asarray(part, np.float64)[: len(self.sample)] for part in found)
        return score, weight

    def thinned(self, key: PRNGKeyArray, keep: int) -> "Response":
        """The same with about ``keep`` of its events, the weights of these raised: as good, and sooner evaluated.

        An event of weight w in a bin where N are expected is kept with probability p ∝ w/√N: of all choices this one
        makes the simulation's variance Σw²/p smallest in units of the data's, summed over bins. So that no process runs
        dry, a share ``EVEN`` of the events is divided evenly among processes. Unbiased at every θ, because p depends on
        the nominal score only.
        """
        score, weight = self.scores({})
        which = np.asarray(_bin(jnp.asarray(score, jnp.float32), jnp.asarray(self.edges, jnp.float32)))
        expected = np.maximum(np.bincount(which, weight, len(self.edges) - 1), 1e-9)
        size = np.abs(np.asarray(self.sample.weight, np.float64)) / np.sqrt(expected[which])
        process = np.asarray(self.sample.process)
        count = np.bincount(process, minlength=len(self.problem.processes))
        even = EVEN * keep / (count > 0).sum() / count[process]

        def probability(scale: float) -> FloatArray:
            return np.minimum(1.0, even + scale * size)

        if keep < len(self.sample):
            top = 1 / size[size > 0].min()
            share = probability(brentq(lambda scale: probability(scale).sum() - keep, 0.0, top))
        else:
            share = np.ones(len(size))
        kept = np.flatnonzero(np.asarray(jax.random.uniform(key, share.shape)) < share)
        sample = self.sample.take(kept).reweight((1 / share[kept]).astype(np.float32))
        return replace(self, sample=jax.tree.map(np.asarray, sample))

    def observed(self, counts: Float[np.ndarray, "*toy bin"]) -> FloatArray:
        """Counts of the merged bins as data of the likelihood: each bin that merging left over counts one event."""
        rest = np.ones((*counts.shape[:-1], len(self.edges) - 1 - self.bins))
        return np.concatenate([counts, rest], axis=-1)

    def _systematic(self, name: str) -> Systematic:
        return next(s for s in self.problem.systematics if s.name == name)

    def _sides(self, name: str, one_sided: bool) -> tuple[FloatArray, FloatArray]:
        unit = self.unit(name)
        if not one_sided:
            return self({name: unit}), self({name: -unit})
        # In v = (θ/unit)² there is nothing below 0: a parabola through v = 0, ½ and 1 says what would be at −1.
        start, half, full = self({}), self({name: unit * 0.5**0.5}), self({name: unit})
        bend = 2 * (full - 2 * half + start)
        return full, start - (full - start - bend) + bend

    def _parameter(self, parameter: Parameter) -> Parameter:
        """In the likelihood's units; the constraint of a one-sided one is as wide as its reach."""
        unit, constraint = self.unit(parameter.name), parameter.constraint
        if not isinstance(constraint, Gaussian):
            return replace(parameter, bounds=(-20.0, 20.0))
        if self._systematic(parameter.name).one_sided:
            return replace(parameter, bounds=(-1.0, 3.0))
        low, high = parameter.bounds
        return replace(parameter, bounds=(low / unit, high / unit), constraint=Gaussian(constraint.width / unit))

    def _build(self, params: Params, sides: Sequence[tuple[FloatArray, FloatArray]]) -> BinnedLikelihood:
        # Merging leaves bins over. They hold one event of a process of their own, which tells nothing about anything:
        # the likelihoods of all approaches then have one shape, and share what is compiled for it.
        left = len(self.edges) - 1 - self.bins

        def padded(cells: FloatArray, rest: float) -> FloatArray:
            wide = np.pad(cells, ((0, 1), (0, left)))
            wide[-1, self.bins :] = rest
            return wide

        nominal = padded(self(params), 1.0)
        variance = padded(self.fine(params)[1] @ self._merge, 0.0)
        up, down = (np.reshape([padded(side[i], 1.0) for side in sides], (len(sides), *nominal.shape)) for i in (0, 1))
        edges = tuple(float(i) for i in range(len(self.edges)))
        parameters = tuple(self._parameter(s.parameter) for s in self.problem.systematics)
        processes = (*self.problem.processes, "left over")
        templates = Templates(nominal, variance, up, down, ("all",), (edges,), processes, parameters)
        model = binned_likelihood(templates, free={"mu": self.problem.signal}, simulation_statistics=self.simulation)
        return replace(model, shape_code=code2) if self.reach else model


@eqx.filter_jit
def _histogram(
    problem: AbstractProblem,
    networks: Any,
    edges: Float[jax.Array, " edge"],
    chunks: Events,
    thetas: dict[str, Any],
    moments: Moments,
) -> tuple[Float[jax.Array, "process bin"], Float[jax.Array, "process bin"]]:
    bins, processes = edges.shape[0] - 1, len(chunks.processes)

    def one(chunk: Events) -> tuple[jax.Array, jax.Array]:
        score, weight = _score(problem, networks, chunk, thetas, moments)
        cell = chunk.process * bins + _bin(score, edges)

        def fill(values: Array) -> jax.Array:
            return jax.ops.segment_sum(values, cell, processes * bins).reshape(processes, bins)

        return fill(weight), fill(weight**2)

    sums, squares = jax.lax.map(one, chunks)
    return sums.sum(axis=0), squares.sum(axis=0)


@eqx.filter_jit
def _scores(
    problem: AbstractProblem, networks: Any, chunks: Events, thetas: dict[str, Any], moments: Moments
) -> tuple[Float[jax.Array, "event *share"], Float[jax.Array, " event"]]:
    found = jax.lax.map(lambda chunk: _score(problem, networks, chunk, thetas, moments), chunks)
    score, weight = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), found)
    return score, weight


def _score(
    problem: AbstractProblem, networks: Any, chunk: Events, thetas: dict[str, Any], moments: Moments
) -> tuple[Float[jax.Array, "event *share"], Float[jax.Array, " event"]]:
    """Score and weight of each event at ``thetas``, selected: the mean over the members."""
    moved = problem.select(shift(chunk, problem.systematics, thetas))
    x = inputs(networks, moved)
    arrays, rest = eqx.partition(networks, eqx.is_array)

    def of_member(member: Any) -> jax.Array:
        network = eqx.combine(member, rest)
        return jax.vmap(lambda point: moments(network(point))[0])(x)

    return jnp.mean(jax.lax.map(of_member, arrays), axis=0), jnp.asarray(moved.weight)


def _bin(score: Float[Array, "event *share"], edges: Float[Array, " edge"]) -> Int[jax.Array, " event"]:
    """The bin of a score, or the one with the largest share."""
    if score.ndim == 2:
        return jnp.argmax(score, axis=1)
    return jnp.clip(jnp.searchsorted(edges, score, side="right") - 1, 0, edges.shape[0] - 2)
