"""What a problem is: events of any number at any parameter values, whose truth is known."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from verax.errors import InputError
from verax.events import Events
from verax.parameters import Parameter, Params, by_name
from verax.systematics.effect import Systematic, shift

POI = Parameter("mu", init=1.0, bounds=(-50.0, 50.0))
"""Signal strength: the signal's yield in units of the nominal one."""


class AbstractProblem(eqx.Module):
    """A measurement of a signal strength μ in the presence of systematics, from a simulation of its own.

    Parameters
    ----------
    features : columns that a network may read
    processes, signal : names of all processes, and of those that μ multiplies
    yields : expected events of each process at the nominal parameters
    systematics : with a parameter each, in units of its prior width (or of a scale that the problem states, if free)
    """

    features: eqx.AbstractVar[tuple[str, ...]]
    processes: eqx.AbstractVar[tuple[str, ...]]
    signal: eqx.AbstractVar[tuple[str, ...]]
    yields: eqx.AbstractVar[tuple[float, ...]]
    systematics: eqx.AbstractVar[tuple[Systematic, ...]]

    @abc.abstractmethod
    def nominal(self, key: PRNGKeyArray, n: int) -> Events:
        """``n`` events of each process at the nominal parameters, weighted to its expected yield. Works under ``jit``."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """μ, then the parameters of the systematics."""
        return (POI, *(s.parameter for s in self.systematics))

    def sample(self, key: PRNGKeyArray, params: Params, n: int) -> Events:
        """``n`` simulated events of each process; the weights of a process sum to its expected yield at ``params``.

        Raises
        ------
        InputError : for an unknown parameter (nearest name given), or fewer than one event
        """
        if n < 1:
            raise InputError("sample", f"{n} events of each process", "at least one")
        by_name(self.parameters, params, type(self).__name__)
        thetas = {name: value for name, value in params.items() if name != POI.name}
        events = shift(self.nominal(key, n), self.systematics, thetas)
        strength = jnp.where(events.is_process(self.signal), params.get(POI.name, POI.init), 1.0)
        return events.reweight(jnp.asarray(strength, events.weight.dtype))
