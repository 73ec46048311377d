"""What a likelihood is: parameters, ``log_prob(params, data)``, ``sample(key, params)``. Inference uses nothing else.

Constraint terms and global observables as in Cranmer, arXiv:1503.07622.
"""

import abc
import functools
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import numpy as np

from verax.arrays import (
    Array,
    Bool,
    Float,
    Int,
    PRNGKeyArray,
    Scalar,
    Tree,
    is_jax,
    is_traced,
    jitted,
    namespace,
    plus_diagonal,
)
from verax.errors import InputError
from verax.parameters import Parameter, Params, Poisson, check_values
from verax.results import Brief, Shown

from ._constraint import (
    Constraints,
    Theta,
    constraint_mean,
    constraint_mixed,
    constraint_peak,
    constraint_sample,
    constraint_spread,
    constraint_terms,
)
from ._data import Data, places
from ._penalty import Penalty
from ._regions import Regions

F = TypeVar("F", bound=Callable[..., Any])
ByFit = Float[Array, "parameter fit"]


def float64_on_host(function: F) -> F:
    """Make a function compute in float64 and return NumPy, whatever the caller's JAX flags; traced it is as it is.

    Of a likelihood in closed form and plain arguments it is computed as it stands, without JAX.

    Parameters
    ----------
    function : of JAX operations, or those of :func:`verax.arrays.namespace`; its first argument may be a likelihood

    >>> import jax.numpy as jnp
    >>> third = float64_on_host(lambda x: jnp.asarray(x) / 3)
    >>> third(1.0).item() == 1 / 3
    True
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if is_traced((args, kwargs)):
            return function(*args, **kwargs)
        if args and getattr(args[0], "in_closed_form", False) and _all_plain((args, kwargs)):
            result = function(*args, **kwargs)
            return np.asarray(result) if isinstance(result, np.generic) else result
        import jax

        with jax.enable_x64(True):
            result = function(*args, **kwargs)
            return jax.tree.map(lambda leaf: leaf if is_traced(leaf) else np.asarray(leaf), result)

    return cast(F, wrapped)


def _all_plain(tree: Any) -> bool:
    """Whether no array in a tree is JAX's."""
    if "jax" not in sys.modules:
        return True
    import jax

    return not any(is_jax(leaf) for leaf in jax.tree.leaves(tree))


class Derivatives(Tree):
    """−log L at a point, up to second order.

    ``rate_curvature`` is the part Σ ℓ′ ∂∂ν of the Hessian that comes from the curvature of the rates ν and may be
    indefinite far from the minimum; ``scale`` is a positive curvature typical of each parameter;
    ``even_slope`` the derivative in the amplitude of each parameter's even part; ``end`` 1 where
    the likelihood ends (a rate would be negative beyond), 2 where it is zero, however large ``nll`` is there.
    """

    nll: Float[Array, ""]
    gradient: Float[Array, " parameter"]
    hessian: Float[Array, "parameter parameter"]
    rate_curvature: Float[Array, "parameter parameter"]
    scale: Float[Array, " parameter"]
    even_slope: Float[Array, " parameter"]
    end: Int[Array, ""]


class EvenParts(NamedTuple):
    """Effects of parameters that are even in them, to first order around the initial values.

    The expected observations change by α · odd + g(α) · even, with g the even part of an interpolation: about |α|.

    Parameters
    ----------
    which : positions of these parameters
    even : [which, observation]
    jacobian : [parameter, observation], of all parameters; that of those in ``which`` is ``odd``
    weight : expected curvature of −log L in each observation's expectation
    prior : curvature of each parameter's constraint; 0 without one
    """

    which: Int[np.ndarray, " k"]
    even: Float[np.ndarray, "k observation"]
    jacobian: Float[np.ndarray, "parameter observation"]
    weight: Float[np.ndarray, " observation"]
    prior: Float[np.ndarray, " parameter"]


class AbstractBatched(Tree, abc.ABC):
    """−log L of many data sets, each at parameters of its own, up to a constant each; the last axis is the ``fit``.

    Parameters may be in another order than the likelihood's, and data are packed in rows: see :class:`Batched`.
    """

    if TYPE_CHECKING:  # a field or a property of each subclass

        @property
        def prior_precision(self) -> Float[Array, "parameter 1"]: ...

    @abc.abstractmethod
    def value_and_slope(
        self, theta: ByFit, packed: Float[Array, "number fit"]
    ) -> tuple[Float[Array, " fit"], ByFit, ByFit, Bool[Array, " fit"]]:
        """−log L, its gradient, its slope in the even parts as in :class:`Derivatives`, and where it is invalid."""

    @abc.abstractmethod
    def whitened_jacobian(
        self, theta: ByFit, packed: Float[Array, "number fit"]
    ) -> Float[Array, "parameter observation fit"]:
        """Derivatives of expectations times the root of −log L's curvature in them, to single precision.

        Their products over observations, with ``prior_precision``, make Gauss and Newton's matrix.
        """


class Batched(NamedTuple):
    """A likelihood for many data sets, the order of its parameters (positions), the packing of data, and constants left out.

    ``pack`` makes [set, number] of a batch; ``constant`` is −log L less :meth:`AbstractBatched.value_and_slope`.
    """

    terms: AbstractBatched
    order: Int[np.ndarray, " parameter"]
    pack: Callable[[Data], Float[np.ndarray, "set number"]]
    constant: Callable[[Data], Float[np.ndarray, " set"]]


class AbstractLikelihood(Brief, Tree, abc.ABC):
    """P(data | parameters). A subclass gives the density of the observations; the constraints are added here.

    Least of all it needs ``parameters``, :meth:`log_observed`, :meth:`sample_observed` and :meth:`asimov_observed`. It is a
    frozen dataclass and a tree of JAX (:class:`verax.arrays.Tree`).
    """

    if TYPE_CHECKING:  # a field or a property of each subclass

        @property
        def parameters(self) -> tuple[Parameter, ...]: ...

    def _shown(self) -> Shown:
        rows = [
            (
                p.name,
                f"{p.init:g}",
                "fixed" if p.fixed else type(p.constraint).__name__ if p.constraint else "free",
                p.group,
            )
            for p in self.parameters
        ]
        return f"{type(self).__name__} of {len(rows)} parameters", ("parameter", "initial", "prior", "group"), rows

    @property
    def penalties(self) -> tuple[Penalty, ...]:
        """Gaussian terms of functions of the parameters, beside the constraints of single ones; none by default."""
        return ()

    @property
    def in_closed_form(self) -> bool:
        """Whether all but draws is formulas over NumPy or JAX alike: few fits are then made without JAX."""
        return False

    @abc.abstractmethod
    def log_observed(self, theta: Theta, data: Data) -> Float[Array, ""]:
        """Log of the density of the observations, without the constraint terms of the parameters.

        ``theta`` is in the order of ``parameters``. A multiplicity of 0 pads; where the density there may be 0 it is to be
        left out, as by ``counts @ jnp.log(jnp.where(counts != 0, density, 1.0))``: 0 · log 0 would be NaN.
        """

    @abc.abstractmethod
    def sample_observed(self, keys: tuple[PRNGKeyArray, PRNGKeyArray], theta: Theta, profiled: Any) -> Data:
        """Observations that fluctuate; the global observables are those of what is profiled only, often none.

        ``keys`` are two: one for the observations, one for the global observables. ``profiled`` is the true value of what
        :meth:`log_observed` profiles by itself; nominal where it is None.
        """

    @abc.abstractmethod
    def asimov_observed(self, theta: Theta, profiled: Any) -> Data:
        """What :meth:`sample_observed` gives on average, without fluctuation."""

    def spread_observed(self, theta: Theta, data: Data) -> Data:
        """Standard deviation of what :meth:`sample_observed` draws; by default the root of each observed multiplicity."""
        xp = namespace(data.counts)
        return Data(xp.sqrt(xp.abs(data.counts)), data.auxiliary[self.n_constraints :])

    def log_density(self, theta: Theta, data: Data) -> Float[Array, ""]:
        """Log L of one data set, constraints included, at the vector of parameter values."""
        value = self.log_observed(theta, data) - self.constraints(theta, data)[0].sum()
        for penalty in self.penalties:
            value -= penalty.terms(theta, self.names)[0]
        return namespace(value).asarray(value)

    def constraints(self, theta: Array, data: Data) -> tuple[Array, Array, Array]:
        """−log of each parameter's constraint term [parameter], with first and second derivative."""
        return constraint_terms(self._constraints, theta, data.auxiliary[: self.n_constraints])

    @functools.cached_property
    def _constraints(self) -> Constraints:
        return Constraints.of(self.parameters)

    @property
    def n_constraints(self) -> int:
        """Number of constrained parameters: their global observables come first in ``Data.auxiliary``."""
        return sum(p.constraint is not None for p in self.parameters)

    @property
    def n_profiled(self) -> int:
        """Number of global observables of what is profiled: they come last in ``Data.auxiliary``."""
        return 0

    @float64_on_host
    def sample(self, key: PRNGKeyArray, params: Params, profiled: Any = None) -> Data:
        """One pseudo-experiment: observations and global observables fluctuate.

        ``profiled`` is the true value of what the likelihood profiles by itself (see :meth:`profiled`); nominal by default.
        """
        import jax

        theta = self.vector(params)
        key_observed, key_auxiliary, key_profiled = jax.random.split(key, 3)
        observed = self.sample_observed((key_observed, key_profiled), theta, profiled)
        return _with_constraints(constraint_sample(key_auxiliary, self.parameters, theta), observed)

    @float64_on_host
    def asimov(self, params: Params, profiled: Any = None) -> Data:
        """The Asimov data set: observations and global observables at their expectations, without fluctuation."""
        theta = self.vector(params)
        data = (_asimov if namespace(theta) is np else _compiled_asimov)(self, theta, profiled)
        return replace(data, expected=bool(places(data)))

    @float64_on_host
    def spread(self, params: Params, data: Data) -> Data:
        """Standard deviation of each observation and global observable, expected at the parameters fitted to ``data``."""
        theta = self.vector(params)
        return _with_constraints(constraint_spread(self.parameters, theta), self.spread_observed(theta, data))

    def profiled(self, params: Params, data: Data) -> Any:
        """Best values of what the likelihood profiles by itself, for ``sample`` and ``asimov``; None where it does not."""
        return None

    def saturated_observed(self, data: Data) -> Float[Array, "*toy"]:
        """−log of the observations' density in a model that expects each of them.

        Raises
        ------
        InputError : where the likelihood is not one of bins
        """
        raise InputError("saturated model", type(self).__name__, "a likelihood of binned data")

    @float64_on_host
    def saturated(self, data: Data) -> Float[Array, "*toy"]:
        """The least −log L of any model of the same data: each observation, and each global observable, is expected."""
        peak = constraint_peak(self.parameters, data.auxiliary[..., : self.n_constraints])
        value = self.saturated_observed(data) + peak.sum(-1) + sum(p.least for p in self.penalties)
        return namespace(value).asarray(value)

    @property
    def regions(self) -> Regions | None:
        """Parts whose goodness of fit is judged by itself, as channels; None where there are none."""
        return None

    @float64_on_host
    def excess(self, theta: Theta, data: Data) -> tuple[Array, Array]:
        """−log L of one data set above the saturated model's: of the observations of each of the :attr:`regions`, what is
        profiled there included, and of each parameter's constraint, then of each penalty.
        """
        constrained = np.array([p.constraint is not None for p in self.parameters], bool)
        peak = constraint_peak(self.parameters, data.auxiliary[: self.n_constraints])
        above = self.constraints(theta, data)[0] - np.eye(len(constrained))[:, constrained] @ peak
        for penalty in self.penalties:
            above = namespace(above).append(above, penalty.terms(theta, self.names)[0] - penalty.least)
        return np.zeros(0), above

    def start(self, data: Data) -> Float[np.ndarray, "toy parameter"]:
        """Starting values of fits: constrained parameters at their global observables, others at their initial values."""
        start = np.tile([float(p.init) for p in self.parameters], (len(data), 1))
        constrained = [(i, c) for i, p in enumerate(self.parameters) if (c := p.constraint) is not None]
        for column, (i, c) in enumerate(constrained):
            start[:, i] = np.asarray(data.auxiliary)[:, column] / (c.tau if isinstance(c, Poisson) else 1.0)
        return start

    def work(self, data: Data) -> int:
        """Size of the derivatives of one data set: parameters × observations, or parameters squared."""
        return len(self.parameters) * max(len(self.parameters), data.counts.shape[-1])

    def batched(self) -> "Batched | None":
        """The same likelihood for many data sets at once; None where there is no faster way than one after the other."""
        return None

    def check(self, data: Data) -> None:
        """Raise InputError where ``data`` does not fit the model: sizes, NaN, infinity, weights of events."""
        n = self.n_constraints + self.n_profiled
        if data.auxiliary.shape[-1] != n:
            raise InputError("data, global observables", f"{data.auxiliary.shape[-1]} per data set", f"{n}")
        sizes = {np.shape(x)[int(data.is_batch and data.own_places)] for x in places(data)}
        if sizes - {data.counts.shape[-1]}:
            raise InputError("data, places", f"{sorted(sizes)}", f"{data.counts.shape[-1]}, one for each observation")
        numbers = {"counts": [data.counts], "global observables": [data.auxiliary], "places": places(data)}
        for what, values in numbers.items():
            if not all(np.isfinite(x).all() for x in values):
                raise InputError(f"data, {what}", "NaN or infinity", "finite numbers")
        counts = np.asarray(data.counts)
        if places(data) and not data.expected and (part := counts[(counts != np.round(counts)) | (counts < 0)]).size:
            advice = (
                "weighted events have no such likelihood: fit them in bins; expectations are Data(..., expected=True)"
            )
            raise InputError("data, multiplicities of events", f"{part[0]:g}", "0, 1, 2, …", advice)

    def profiled_groups(self) -> dict[str, Bool[np.ndarray, " profiled"]]:
        """Rows of the uncertainty breakdown for what is profiled: which of its global observables, each."""
        return {}

    def freeze_profiled(
        self, params: Params, data: Data, which: Bool[np.ndarray, " profiled"] | None = None
    ) -> "tuple[AbstractLikelihood, Data]":
        """The same likelihood and data with all that is profiled, or ``which``, fixed at its best values."""
        return self, data

    def end(self, theta: Theta, data: Data) -> Int[Array, ""]:
        """0 inside the region where the likelihood is defined, 1 pressed against its edge, 2 where it is zero."""
        return np.zeros((), int)

    def softened(self, factor: float) -> "AbstractLikelihood":
        """The same likelihood with the wall at its edge ``factor`` times as soft; itself where it has no edge."""
        return self

    def check_truth(self, params: Params, profiled: Any = None) -> None:
        """Raise InputError where no data can be drawn at ``params``: by default, where a place expects less than nothing."""
        expected = self.asimov(params, profiled)
        if expected.place is not None and not (np.asarray(expected.counts) >= 0).all():
            got = f"a density that is negative or NaN at {dict(params)}"
            raise InputError("toys", got, "no negative density", "choose another truth")

    def even_parts(self) -> EvenParts | None:
        """Parameters that may have a second minimum on their other side; None where the model knows of none."""
        return None

    @property
    def convex_in(self) -> tuple[str, ...]:
        """Names of parameters along which −log L is known to be convex, so that fits look for no other minimum there."""
        return ()

    def derivatives_observed(self, theta: Theta, data: Data) -> Derivatives:
        """Derivatives of −:meth:`log_observed`; by autodiff; a subclass may have a faster method."""
        import jax
        import jax.numpy as jnp

        def nll(vector: Array) -> tuple[Array, Array]:
            value = -self.log_observed(vector, data)
            return value, value

        def gradient(vector: Array) -> tuple[Array, tuple[Array, Array]]:
            slope, value = jax.grad(nll, has_aux=True)(vector)
            return slope, (slope, value)

        hessian, (slope, value) = jax.jacfwd(gradient, has_aux=True)(theta)
        zero, scale = jnp.zeros_like(hessian), jnp.abs(jnp.diagonal(hessian))
        return Derivatives(value, slope, hessian, zero, scale, jnp.zeros_like(theta), self.end(theta, data))

    def mixed_observed(self, theta: Theta, data: Data, directions: Array) -> tuple[Array, Array]:
        """Derivatives of −:meth:`log_observed` in the data of its derivative along some directions [direction, parameter].

        In the multiplicities [direction, observation], and in the global observables of what is profiled.
        """
        import jax

        def along(values: tuple[Array, Array], direction: Array) -> Array:
            moved = Data(*values, data.place, data.own_places)
            slope: Array = jax.jvp(lambda t: -self.log_observed(t, moved), (theta,), (direction,))[1]
            return slope

        by_count, auxiliary = jax.vmap(jax.grad(along), (None, 0))((data.counts, data.auxiliary), directions)
        return by_count, auxiliary[:, self.n_constraints :]

    def mixed(self, theta: Theta, data: Data, directions: Array) -> tuple[Array, Array]:
        """The same of −log L: in the multiplicities, and in all global observables."""
        by_count, profiled = self.mixed_observed(theta, data, directions)
        own = directions[:, [p.constraint is not None for p in self.parameters]]
        constrained = own * constraint_mixed(self.parameters, theta)
        return by_count, namespace(constrained, profiled).concatenate([constrained, profiled], 1)

    def derivatives(self, theta: Theta, data: Data) -> Derivatives:
        """Value, gradient and exact Hessian of −log L, constraints included."""
        at = self.derivatives_observed(theta, data)
        value, slope, curvature = self.constraints(theta, data)
        xp = namespace(theta, at.gradient)
        nll, scale = xp.asarray(at.nll + value.sum()), xp.maximum(at.scale + curvature, 1e-12)
        gradient, hessian = at.gradient + slope, plus_diagonal(at.hessian.copy(), curvature)
        for penalty in self.penalties:
            value, slope, bend = penalty.terms(theta, self.names)
            nll, gradient, hessian = xp.asarray(nll + value), gradient + slope, hessian + bend
            scale = scale + abs(xp.diagonal(bend))
        return Derivatives(nll, gradient, hessian, at.rate_curvature, scale, at.even_slope, at.end)

    @float64_on_host
    def log_prob(self, params: Params, data: Data) -> Float[Array, ""]:
        """Log L of one data set, −∞ where a rate is negative; parameters not named stay at their initial values.

        Raises
        ------
        InputError : for an unknown name, with its nearest neighbour, or a value that is not finite
        """
        theta = self.vector(params)
        end, value = self.end(theta, data), self.log_density(theta, data)
        return namespace(end, value).where(end > 0, -np.inf, value)

    def vector(self, params: Mapping[str, Scalar]) -> Float[Array, " parameter"]:
        """Parameter values as a vector in the order of ``parameters``; those not named stay at their initial values."""
        check_values(self.parameters, params, "parameter values")
        values = [params.get(p.name, p.init) for p in self.parameters]
        if self.in_closed_form and namespace(*values) is np:
            return np.asarray(values, np.float64)
        import jax.numpy as jnp

        return jnp.asarray(values, jnp.result_type(float))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(p.name for p in self.parameters)


def _with_constraints(auxiliary: Array, observed: Data) -> Data:
    """Global observables of the parameters before those of what is profiled."""
    both = auxiliary, observed.auxiliary
    return replace(observed, auxiliary=namespace(*both).concatenate(both))


def _asimov(model: AbstractLikelihood, theta: Array, profiled: Any) -> Data:
    return _with_constraints(constraint_mean(model.parameters, theta), model.asimov_observed(theta, profiled))


_compiled_asimov = jitted(_asimov)
