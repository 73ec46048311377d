"""How a summary responds to parameters: its histogram at any θ, from one simulated sample that moves as a whole.

The same events at every θ: simulation noise is common to a template and its variations, and drops out of slopes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array as JaxArray
from jaxtyping import Float

from verax.arrays import Array
from verax.events import Events
from verax.learn import Moments, inputs
from verax.model import BinnedLikelihood, Templates, binned_likelihood
from verax.parameters import Params
from verax.results import FloatArray
from verax.simulate import AbstractProblem
from verax.summarise import choose_edges
from verax.systematics import shift

CHUNK = 1 << 13
"""Events at a time: they stay in the cache, and memory is bounded by it."""

NUISANCE_STEP = 1.0
"""Of the templates of a constrained parameter, in units of its prior width; free ones move by ``Response.step``."""


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
    """

    problem: AbstractProblem
    networks: Any
    moments: Moments
    edges: tuple[float, ...]
    sample: Events
    step: float = 0.25

    def fine(self, params: Params) -> tuple[FloatArray, FloatArray]:
        """Expected events [process, bin] at ``params`` in the bins of ``edges``, and Σw²; μ multiplies the signal."""
        names = [s.name for s in self.problem.systematics]
        place = tuple(float(params.get(name, 0.0)) for name in names)
        if place not in self._filled:
            # θ are arguments of the compiled function: plain numbers would be constants, and each a program of its own.
            thetas = {name: np.float32(value) for name, value in zip(names, place, strict=True)}
            edges = jnp.asarray(self.edges, jnp.float32)
            found = _histogram(self.problem, self.networks, edges, self._chunks, thetas, self.moments)
            self._filled[place] = tuple(np.asarray(part, np.float64) for part in found)
        sums, squares = self._filled[place]
        strength = np.where(np.isin(self.problem.processes, self.problem.signal), params.get("mu", 1.0), 1.0)
        return sums * strength[:, None], squares * strength[:, None] ** 2

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

        A free parameter is in units of ``step``, in which its variations are taken.
        """
        return self._build(self({}), [self._sides({}, s.name, self.unit(s.name)) for s in self.problem.systematics])

    def local(self, params: Params, step: float = 0.05) -> BinnedLikelihood:
        """The model around ``params``, by slopes there: for the information, not to fit far away. Signal at μ = ``mu``."""
        centre = self(params)
        sides = []
        for s in self.problem.systematics:
            up, down = self._sides(params, s.name, step)
            slope = (up - down) * (self.unit(s.name) / (2 * step))
            sides.append((centre + slope, centre - slope))
        return self._build(centre, sides)

    def unit(self, name: str) -> float:
        """What the likelihood's parameter counts in, in units of the systematic's θ."""
        parameter = next(s.parameter for s in self.problem.systematics if s.name == name)
        return self.step if parameter.constraint is None else NUISANCE_STEP

    def _sides(self, params: Params, name: str, step: float) -> tuple[FloatArray, FloatArray]:
        centre = float(params.get(name, 0.0))
        up, down = (self({**params, name: centre + side * step}) for side in (1, -1))
        return up, down

    def observed(self, counts: Float[np.ndarray, "*toy bin"]) -> FloatArray:
        """Counts of the merged bins as data of the likelihood: each bin that merging left over counts one event."""
        rest = np.ones((*counts.shape[:-1], len(self.edges) - 1 - self.bins))
        return np.concatenate([counts, rest], axis=-1)

    def _build(self, centre: FloatArray, sides: Sequence[tuple[FloatArray, FloatArray]]) -> BinnedLikelihood:
        # Merging leaves bins over. They hold one event of a process of their own, which tells nothing about anything:
        # the likelihoods of all approaches then have one shape, and share what is compiled for it.
        left = len(self.edges) - 1 - self.bins
        rest = np.block(
            [[np.zeros((len(centre), self.bins)), np.zeros((len(centre), left))], [np.zeros(self.bins), np.ones(left)]]
        )

        def padded(cells: FloatArray) -> FloatArray:
            return np.pad(cells, ((0, 1), (0, left))) + rest

        shape = (len(sides), rest.shape[0], rest.shape[1])
        up, down = (np.reshape([padded(side[i]) for side in sides], shape) for i in (0, 1))
        edges = tuple(float(i) for i in range(len(self.edges)))
        parameters = tuple(
            s.parameter if s.parameter.constraint else replace(s.parameter, bounds=(-20.0, 20.0))
            for s in self.problem.systematics
        )
        nominal, processes = padded(centre), (*self.problem.processes, "left over")
        templates = Templates(nominal, np.zeros_like(nominal), up, down, ("all",), (edges,), processes, parameters)
        return binned_likelihood(templates, free={"mu": self.problem.signal}, simulation_statistics=False)


@eqx.filter_jit
def _histogram(
    problem: AbstractProblem,
    networks: Any,
    edges: Float[JaxArray, " edge"],
    chunks: Events,
    thetas: dict[str, Any],
    moments: Moments,
) -> tuple[Float[JaxArray, "process bin"], Float[JaxArray, "process bin"]]:
    bins, processes = edges.shape[0] - 1, len(chunks.processes)

    def one(chunk: Events) -> tuple[JaxArray, JaxArray]:
        moved = problem.select(shift(chunk, problem.systematics, thetas))
        x = inputs(networks, moved)
        arrays, rest = eqx.partition(networks, eqx.is_array)

        def of_member(member: Any) -> JaxArray:
            network = eqx.combine(member, rest)
            return jax.vmap(lambda point: moments(network(point))[0])(x)

        score = jnp.mean(jax.lax.map(of_member, arrays), axis=0)
        if score.ndim == 2:
            which = jnp.argmax(score, axis=1)
        else:
            which = jnp.clip(jnp.searchsorted(edges, score, side="right") - 1, 0, bins - 1)
        cell = moved.process * bins + which

        def fill(values: Array) -> JaxArray:
            return jax.ops.segment_sum(values, cell, processes * bins).reshape(processes, bins)

        return fill(moved.weight), fill(moved.weight**2)

    sums, squares = jax.lax.map(one, chunks)
    return sums.sum(axis=0), squares.sum(axis=0)
