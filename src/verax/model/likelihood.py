"""What a likelihood is: parameters, ``log_prob(params, data)``, ``sample(key, params)``. Inference knows nothing else."""

import abc
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from verax.arrays import Array, Scalar
from verax.errors import InputError
from verax.parameters import Parameter, Params, by_name

F = TypeVar("F", bound=Callable[..., Any])


def float64_on_host(function: F) -> F:
    """Called with plain numbers: compute in float64 whatever the caller's JAX flags, return NumPy. Traced: as it is."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((args, kwargs))):
            return function(*args, **kwargs)
        with jax.enable_x64(True):
            result = function(*args, **kwargs)
            return jax.tree.map(lambda leaf: leaf if isinstance(leaf, jax.core.Tracer) else np.asarray(leaf), result)

    return cast(F, wrapped)


class Data(eqx.Module):
    """Observations and global observables; a leading ``toy`` axis makes a batch.

    Parameters
    ----------
    counts : observed events per bin
    auxiliary : global observables: those of the constrained parameters in their order, then one per γ (bins)
    """

    counts: Float[Array, "*toy bin"]
    auxiliary: Float[Array, "*toy constraint"]


class Derivatives(eqx.Module):
    """−log L at a point, up to second order.

    ``bending`` is the part of the Hessian that may spoil its positive definiteness far from the minimum (curvature of
    the rates, not of the likelihood in the rates); ``scale`` is a positive curvature typical of each parameter;
    ``even_slope`` the derivative in the amplitude of what each parameter does alike on both its sides; ``end`` 1 where
    the likelihood ends (a rate would be negative beyond), 2 where it is zero, however large ``nll`` is there.
    """

    nll: Float[Array, ""]
    gradient: Float[Array, " parameter"]
    hessian: Float[Array, "parameter parameter"]
    bending: Float[Array, "parameter parameter"]
    scale: Float[Array, " parameter"]
    even_slope: Float[Array, " parameter"]
    end: Int[Array, ""]


class EvenParts(NamedTuple):
    """To first order around the initial values, what parameters do that move observations alike on both their sides.

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


class AbstractLikelihood(eqx.Module):
    """P(data | parameters). A subclass says what it is for a vector of parameter values; names are handled here."""

    parameters: eqx.AbstractVar[tuple[Parameter, ...]]

    @abc.abstractmethod
    def log_density(self, theta: Float[Array, " parameter"], data: Data) -> Float[Array, ""]:
        """Log L of one data set at the vector of parameter values, in the order of ``parameters``."""

    @abc.abstractmethod
    def sample(self, key: PRNGKeyArray, params: Params, gamma: Float[Array, " bin"] | None = None) -> Data:
        """One pseudo-experiment: observations and global observables fluctuate.

        ``gamma`` is the true value of what ``log_density`` profiles by itself (see :meth:`profiled`); nominal by default.
        """

    @abc.abstractmethod
    def asimov(self, params: Params, gamma: Float[Array, " bin"] | None = None) -> Data:
        """The data set without fluctuations: observations and global observables at their expectation."""

    @abc.abstractmethod
    def spread(self, params: Params, data: Data) -> Data:
        """Standard deviation of each observation and global observable, expected at the parameters fitted to ``data``."""

    def profiled(self, params: Params, data: Data) -> Float[Array, "..."] | None:
        """Best values of what ``log_density`` profiles by itself, for ``sample`` and ``asimov``; None where it does not."""
        return None

    def saturated(self, data: Data) -> Float[Array, "*toy"]:
        """The least −log L of any model of the same data: each observation is its own expectation.

        Raises
        ------
        InputError : where the likelihood is not one of bins
        """
        raise InputError("saturated model", type(self).__name__, "a likelihood of binned data")

    def check(self, data: Data) -> None:
        """Raise InputError where ``data`` does not fit the model; a subclass knows what to look for."""

    def profiled_groups(self) -> dict[str, Bool[np.ndarray, " gamma"]]:
        """Rows of the uncertainty breakdown for what ``log_density`` profiles by itself: a mask over it each."""
        return {}

    def freeze_profiled(
        self, params: Params, data: Data, which: Bool[np.ndarray, " gamma"] | None = None
    ) -> "tuple[AbstractLikelihood, Data]":
        """The same likelihood and data with all that is profiled, or ``which``, fixed at its best values."""
        return self, data

    def end(self, theta: Float[Array, " parameter"], data: Data) -> Int[Array, ""]:
        """0 inside the region where the likelihood is defined, 1 pressed against its end, 2 where it is zero."""
        return jnp.zeros((), int)

    def softened(self, factor: float) -> "AbstractLikelihood":
        """The same likelihood, going up ``factor`` times as softly where it ends; itself where it has no ends."""
        return self

    def check_truth(self, params: Params, gamma: Float[Array, "..."] | None = None) -> None:
        """Raise InputError where no data can be drawn at ``params``; a subclass knows what to look for."""

    def even_parts(self) -> EvenParts | None:
        """Parameters that may have a second minimum on their other side; None where the model knows of none."""
        return None

    def derivatives(self, theta: Float[Array, " parameter"], data: Data) -> Derivatives:
        """Value, gradient and exact Hessian of −log L; a subclass may know a faster way than this autodiff."""

        def nll(vector: Array) -> tuple[Array, Array]:
            value = -self.log_density(vector, data)
            return value, value

        def gradient(vector: Array) -> tuple[Array, tuple[Array, Array]]:
            slope, value = jax.grad(nll, has_aux=True)(vector)
            return slope, (slope, value)

        hessian, (slope, value) = jax.jacfwd(gradient, has_aux=True)(theta)
        scale = jnp.maximum(jnp.abs(jnp.diagonal(hessian)), 1e-12)
        return Derivatives(
            value, slope, hessian, jnp.zeros_like(hessian), scale, jnp.zeros_like(theta), self.end(theta, data)
        )

    @float64_on_host
    def log_prob(self, params: Params, data: Data) -> Float[Array, ""]:
        """Log L of one data set, −∞ where a rate is negative; parameters not named stay at their initial values.

        Raises
        ------
        InputError : for an unknown name, with its nearest neighbour
        """
        theta = self.vector(params)
        return jnp.where(self.end(theta, data) > 0, -jnp.inf, self.log_density(theta, data))

    def vector(self, params: Mapping[str, Scalar]) -> Float[Array, " parameter"]:
        """Parameter values as a vector in the order of ``parameters``; those not named stay at their initial values."""
        by_name(self.parameters, params, "parameter values")
        return jnp.asarray([params.get(p.name, p.init) for p in self.parameters], jnp.result_type(float))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(p.name for p in self.parameters)
