"""Problems whose densities are known exactly, and all that follows: classifier, score, likelihood, information."""

import abc
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from verax.arrays import Array
from verax.errors import InputError
from verax.parameters import Gaussian, Params
from verax.systematics import aslike

from ._information import Matrix, information, summary_information, uncertainty
from ._problem import POI, AbstractProblem

Features = Float[Array, "event feature"]
Points = tuple[np.ndarray, np.ndarray]
"""A quadrature: positions [point, feature] and weights [point], so that ∫ f dx = Σ weight·f(position)."""


class AbstractDensityProblem(AbstractProblem):
    """A problem with exact densities of its ``features``. Values of ``params`` that are not given are nominal."""

    @abc.abstractmethod
    def log_density(self, x: Features, params: Params) -> Float[jax.Array, "process event"]:
        """Evaluate the log of each process's density, normalised to one.

        Parameters
        ----------
        x : values of the features
        params : values by name, one number or one per event
        """

    @abc.abstractmethod
    def quadrature(self, params: Params, resolution: int = 1) -> Points:
        """Give points and weights that integrate the densities near ``params``.

        Parameters
        ----------
        params : values by name
        resolution : multiplies the points per axis
        """

    def expected(self, params: Params) -> Float[jax.Array, " process"]:
        """Find the expected events of each process.

        Parameters
        ----------
        params : values by name
        """
        mu = params.get(POI.name, POI.init)
        return jnp.stack([y * (mu if p in self.signal else jnp.ones_like(mu)) for y, p in self._processes])

    def intensity(self, x: Features, params: Params) -> Float[jax.Array, " event"]:
        """Evaluate the expected events per unit of volume, summed over processes.

        Parameters
        ----------
        x : values of the features
        params : values by name
        """
        density = jnp.exp(self.log_density(x, params))
        return jnp.sum(self.expected(params).astype(density.dtype)[:, None] * density, axis=0)

    def log_ratio(self, x: Features, params: Params | None = None) -> Float[jax.Array, " event"]:
        """Evaluate the log of the signal's over the background's density: the logit of the Bayes-optimal classifier.

        Both classes are normalised to one, as the balanced cross-entropy sees them. By Neyman and Pearson's lemma no
        other function separates better; within the classes processes count by their nominal yields.

        Parameters
        ----------
        x : values of the features
        params : values by name; nominal by default

        Raises
        ------
        InputError : for a problem without background
        """
        if set(self.processes) <= set(self.signal):
            raise InputError(type(self).__name__, "no background", "a problem of two classes", "use log_density")
        log_density = self.log_density(x, params or {})
        both = []
        for chosen in (True, False):
            index = np.array([i for i, (_, p) in enumerate(self._processes) if (p in self.signal) is chosen], int)
            share = np.array([self.yields[i] for i in index])
            share = (share / share.sum()).astype(log_density.dtype)
            both.append(jax.nn.logsumexp(log_density[index], axis=0, b=share[:, None]))
        return both[0] - both[1]

    def classifier(self, x: Features, params: Params | None = None) -> Float[jax.Array, " event"]:
        """Evaluate the Bayes-optimal probability of signal for equally frequent classes: what networks are compared with.

        Parameters
        ----------
        x : values of the features
        params : values by name; nominal by default
        """
        return jax.nn.sigmoid(self.log_ratio(x, params))

    def score(self, x: Features, params: Params) -> Float[jax.Array, "parameter event"]:
        """Evaluate the derivative of the log intensity in each parameter: the locally sufficient statistics.

        Parameters
        ----------
        x : values of the features
        params : values by name
        """
        intensity, slope = self._slopes(x, params)
        return slope / intensity

    def log_likelihood(self, x: Features, weight: Float[Array, " event"], params: Params) -> Float[jax.Array, ""]:
        """Evaluate the extended unbinned log-likelihood Σ w ln λ(x) − Σ ν, with constraints of nominal global observables.

        Weights, also negative ones, multiply an event's term; unit weights make it exact. NaN where an intensity is
        not positive.

        Parameters
        ----------
        x : values of the features
        weight : of each event
        params : values by name
        """
        pulls = [
            (params.get(p.name, p.init) - p.init) / p.constraint.width
            for p in self.parameters
            if isinstance(p.constraint, Gaussian)
        ]
        constraint = 0.5 * sum((pull**2 for pull in pulls), start=jnp.zeros(()))
        logs = jnp.log(self.intensity(x, params))
        return jnp.sum(aslike(weight, logs) * logs) - jnp.sum(self.expected(params)) - constraint

    def information(self, params: Params | None = None, *, resolution: int = 1) -> Matrix:
        """Find the expected information of the unbinned likelihood with its constraints, in float64.

        Parameters
        ----------
        params : values by name; nominal by default
        resolution : of the quadrature
        """
        _, intensity, slope = self._integrand(params or {}, resolution)
        return information(intensity, slope, self.parameters)

    def summary_information(
        self,
        summary: Callable[[Array], Array],
        edges: Float[Array, " edge"],
        params: Params | None = None,
        *,
        resolution: int = 2,
    ) -> Matrix:
        """Find the same of counts in bins of a fixed summary; outside is not selected.

        The summary does not move with the parameters: events do. Bin edges cut between points, so that the error falls
        slowly, to some 10⁻³ in σ; compare two resolutions.

        Parameters
        ----------
        summary : ``x[event, feature] → score[event]``
        edges : of the bins of the score
        params : values by name; nominal by default
        resolution : of the quadrature
        """
        x, expected, slope = self._integrand(params or {}, resolution)
        with jax.enable_x64(True):
            value = np.asarray(summary(x), np.float64)
        edges = np.asarray(edges, np.float64)
        which = np.searchsorted(edges, value, side="right") - 1
        which = np.where(value == edges[-1], len(edges) - 2, which)
        return summary_information(which, len(edges) - 1, expected, slope, self.parameters)

    def counts_information(self, counts: Callable[[Params], jax.Array], params: Params | None = None) -> Matrix:
        """Find the same of counts in bins known as a differentiable function of all parameters.

        Parameters
        ----------
        counts : ``params → events[bin]``
        params : values by name; nominal by default
        """
        params = params or {}
        self.check(params)
        with jax.enable_x64(True):
            values = jnp.asarray([float(params.get(p.name, p.init)) for p in self.parameters], jnp.float64)
            expected, slope = _linearise(counts, [p.name for p in self.parameters], values)
            return information(np.asarray(expected), np.asarray(slope), self.parameters)

    def uncertainty(self, matrix: Matrix, name: str = POI.name) -> float:
        """Find the expected standard deviation of one parameter; μ in units of :attr:`poi_unit`.

        Parameters
        ----------
        matrix : information, in the order of ``parameters``
        name : of the parameter
        """
        return uncertainty(matrix, self.parameters, name) * (self.poi_unit if name == POI.name else 1.0)

    @property
    def _processes(self) -> tuple[tuple[float, str], ...]:
        return tuple(zip(self.yields, self.processes, strict=True))

    def _integrand(self, params: Params, resolution: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Positions, events at each point of the quadrature and their slopes [parameter, point], in float64."""
        self.check(params)
        x, weight = self.quadrature(params, resolution)
        with jax.enable_x64(True):
            values = {name: jnp.asarray(value, jnp.float64) for name, value in params.items()}
            intensity, slope = _compiled_slopes(self, jnp.asarray(x), values)
            return x, np.asarray(intensity) * weight, np.asarray(slope) * weight

    def _slopes(self, x: Array, params: Params) -> tuple[jax.Array, jax.Array]:
        names = [p.name for p in self.parameters]
        x = jnp.asarray(x)
        values = jnp.stack([aslike(params.get(p.name, p.init), x) for p in self.parameters])

        return _linearise(lambda params: self.intensity(x, params), names, values)


def _linearise(
    function: Callable[[Params], jax.Array], names: Sequence[str], values: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """A function of parameters and its slopes [parameter, …]; one direction after another keeps the memory small."""

    def of(values: jax.Array) -> jax.Array:
        return function(dict(zip(names, values, strict=True)))

    columns = [jax.jvp(of, (values,), (direction,)) for direction in jnp.eye(len(names), dtype=values.dtype)]
    return columns[0][0], jnp.stack([slope for _, slope in columns])


@eqx.filter_jit
def _compiled_slopes(problem: AbstractDensityProblem, x: jax.Array, params: Params) -> tuple[jax.Array, jax.Array]:
    return problem._slopes(x, params)


def normal(x: Array, mean: Array | float, variance: float) -> jax.Array:
    """Log of a normal density."""
    return jnp.asarray(-0.5 * (x - mean) ** 2 / variance - 0.5 * np.log(2 * np.pi * variance))


def midpoints(low: float, high: float, n: int) -> Points:
    """Place the points of the midpoint rule: exponential convergence for what is smooth and vanishes at both ends.

    (By the formula of Euler and Maclaurin.) For the :meth:`~AbstractDensityProblem.quadrature` of a problem.

    Parameters
    ----------
    low : where the axis begins
    high : where it ends
    n : number of points

    >>> x, weight = midpoints(0.0, 1.0, 2)
    >>> x.tolist(), weight.tolist()
    ([0.25, 0.75], [0.5, 0.5])
    """
    step = (high - low) / n
    return low + step * (np.arange(n) + 0.5), np.full(n, step)


def gauss_legendre(low: float, high: float, n: int) -> Points:
    """Gauss–Legendre rule on an interval."""
    x, w = np.polynomial.legendre.leggauss(n)
    return low + (high - low) * (x + 1) / 2, w * (high - low) / 2


def product(*axes: Points) -> Points:
    """Multiply one-dimensional rules: positions [point, axis] and weights [point].

    Parameters
    ----------
    axes : points and weights of each axis

    >>> x, weight = product(midpoints(0.0, 1.0, 2), midpoints(0.0, 1.0, 3))
    >>> x.shape, round(weight.sum().item(), 6)
    ((6, 2), 1.0)
    """
    x = np.stack([a.ravel() for a in np.meshgrid(*(x for x, _ in axes), indexing="ij")], axis=1)
    weight = np.ones(())
    for _, w in axes:
        weight = np.multiply.outer(weight, w)
    return x, weight.ravel()
