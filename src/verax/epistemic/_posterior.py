"""What every epistemic method returns: a posterior over networks, from which members are taken.

A method is ``method(key, make, loss, events, *, training, …) → Posterior``. Its members, stacked along a leading axis
``member``, are what :func:`verax.learn` and all that builds on it take.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from verax.errors import InputError
from verax.learn import History, Training
from verax.results import Status

EARLY = (
    "held-out events chose the networks (early stopping): how these fluctuate moves all members alike, and is not in the "
    "spread"
)
SAME_EVENTS = "all members learn from the same events: how these fluctuate is not in the spread"

DRAWS = 50
"""Members of a posterior that can be drawn from without end, where no number is asked for."""


@dataclass(frozen=True, kw_only=True)
class Posterior(ABC):
    """Networks that the training events leave possible, and how they were found.

    Each epistemic method gives one, whose ``members`` are for :func:`verax.learn`.

    Parameters
    ----------
    histories : of each training; empty where nothing was trained
    status : OK, or how the method failed; NOT_FINITE where a training did not stay finite, MAX_STEPS where one that members
        depend on may not have converged
    problem : one line about it, empty when there is none
    observations : what the events count as in a likelihood, n_eff or Σw; NaN in a method without one

    >>> import jax.numpy as jnp
    >>> posterior = Ensemble(jnp.arange(4.0))
    >>> posterior.status.name, posterior.members(jax.random.key(0), 2).tolist()
    ('OK', [0.0, 2.0])
    """

    histories: tuple[History, ...] = ()
    status: Status = Status.OK
    problem: str = ""
    observations: float = math.nan

    def __post_init__(self) -> None:
        problem = next((h.problem for h in self.histories if h.problem), "")
        lines = [h.unfinished for h in self.histories if h.unfinished] if self._as_trained else []
        if problem:
            object.__setattr__(self, "status", Status.NOT_FINITE)
            object.__setattr__(self, "problem", problem)
        elif lines and self.status <= Status.AT_BOUND:
            which = f"{len(lines)} of {len(self.histories)} trainings: " if len(self.histories) > 1 else ""
            object.__setattr__(self, "status", Status.MAX_STEPS)
            object.__setattr__(self, "problem", f"{which}{lines[0]}; allow more epochs")

    @property
    def _as_trained(self) -> bool:
        """Whether members are what the training made, so that they are no better than it is."""
        return True

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not in the spread over members, however well the method converged; none of draws from a posterior."""
        chosen = self._as_trained and any(np.isfinite(h.validation).any() for h in self.histories)
        return tuple(line for line in (self._left_out, EARLY if chosen else "") if line)

    @property
    def _left_out(self) -> str:
        """What the method itself leaves out of the spread."""
        return ""

    @abstractmethod
    def members(self, key: PRNGKeyArray, n: int | None = None) -> Any:
        """Give ``n`` networks, stacked along a leading axis ``member``; the same for the same key.

        Parameters
        ----------
        key : of the draws; a fixed set of members needs none, and gives the same ones for any key
        n : how many; by default all of a fixed set, or 50 draws

        Raises
        ------
        InputError : for fewer than one, or more than a fixed set has
        """


@dataclass(frozen=True)
class Ensemble(Posterior):
    """A fixed set of members: networks that were trained, or drawn, one by one; made by :func:`ensemble`.

    Parameters
    ----------
    networks : all of them, stacked along a leading axis ``member``
    same_events : they were trained on the same events, not on replicas
    """

    networks: Any
    same_events: bool = field(default=False, kw_only=True)

    @property
    def _left_out(self) -> str:
        return SAME_EVENTS if self.same_events else ""

    def members(self, key: PRNGKeyArray, n: int | None = None) -> Any:
        arrays = eqx.filter(self.networks, eqx.is_array)
        total = len(jax.tree.leaves(arrays)[0])
        if n is None or n == total:
            return self.networks
        checked_members(n, total)
        chosen = (np.arange(n) * total) // n  # evenly spaced: equally many from each chain of a sampler
        return jax.tree.map(lambda a: a[chosen] if eqx.is_array(a) else a, self.networks)


def checked_members(n: int | None, most: int | None = None) -> int:
    """The number of members to draw, DRAWS of them for None; InputError for no number from one to all that there are."""
    n = DRAWS if n is None else n
    if not hasattr(n, "__index__") or n < 1 or (most is not None and n > most):
        raise InputError("members", str(n), "at least 1" if most is None else f"1 … {most}, the members that there are")
    return n


def checked_training(training: Training | None) -> Training:
    """The options of a method that always trains; InputError for None, by which others take a network as trained."""
    if training is None:
        raise InputError("training", "None", "options of a training", "leave it out for the usual ones")
    return training
