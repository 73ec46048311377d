"""Systematics-aware training with a common interface: what is trained, on what loss, and the score that it gives.

propagate : the plain classifier; systematics only move the templates
augment : the classifier sees its events at nuisance parameters drawn from their priors
adversarial : an adversary that guesses θ from the score takes away what tells of it, for what shapes, not for yields
    (Louppe, Kagan and Cranmer, arXiv:1611.01046)
parameterised : f(x; θ), fixed at one θ when the summary is made (Baldi et al., arXiv:1601.07913)
inferno : bins that make the expected uncertainty of the measurement small (de Castro and Dorigo, arXiv:1806.04743)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from verax.choices import APPROACHES
from verax.errors import InputError, check_known
from verax.events import Events
from verax.learn import CrossEntropy, Loss, Make, Moments, Optimizer, Weigh, balance, bernoulli, event_weight
from verax.parameters import by_name, check_value
from verax.systematics import Systematic

from ._adversarial import adversarial, minimax, with_adversary, without_adversary
from ._augment import Per, augment
from ._inferno import align, inferno, softmax
from ._parameterised import at, parameterise, parameterised


@dataclass(frozen=True)
class Approach:
    """How a summary is learnt; for :func:`verax.learn`, ``cross_train`` and ``ensemble``.

    Parameters
    ----------
    make : ``(key, training events) → network``: what is trained
    loss : on what
    weigh : with which training weights
    finish : ``(networks, training events) → networks`` that read the events' columns only; any leading axes
    moments : the score and its variance from a network's output
    bins : number of bins that the network sorts events into; 0: the score is a probability, still to be binned
    optimizer : the one that it needs, or None for the usual one

    >>> import numpy as np
    >>> from verax.events import make_events
    >>> from verax.learn import classifier
    >>> table = make_events({"x": np.zeros(2)}, process=np.array([0, 1]), processes=("b", "s"))
    >>> approach("propagate", classifier, table, ("x",), {"mu": ("s",)}, ()).bins
    0
    """

    make: Make
    loss: Loss
    weigh: Weigh
    finish: Callable[[Any, Events], Any]
    moments: Moments
    bins: int = 0
    optimizer: Optimizer | None = None


def approach(
    name: str,
    make: Callable[..., Any],
    events: Events,
    features: Sequence[str],
    free: Mapping[str, Sequence[str]],
    systematics: Sequence[Systematic],
    *,
    per: Per = "event",
    strength: float = 20.0,
    params: Mapping[str, float] | None = None,
    bins: int = 10,
    temperature: float = 0.1,
) -> Approach:
    """Choose the approach of that name, for a measurement.

    Parameters
    ----------
    name : one of ``APPROACHES``
    make : ``(key, events, features=…, outputs=…) → network``, for example ``partial(classifier, width=64)``
    events : the table that training draws from, with its expected weights
    features : columns that the network reads
    free : normalisation factors and the processes that they multiply; the first is the parameter of interest
    systematics : those that the network is to be aware of
    per : augment: one value of θ per event, or per batch
    strength : adversarial: of the adversary's share in the loss
    params : parameterised: θ at which the summary is made (default 0)
    bins : inferno: number of bins of the summary
    temperature : inferno: of the softmax over bins

    Raises
    ------
    InputError : for an unknown name (nearest one given), a systematic that JAX cannot trace, or whose derivative inferno
        would not see (it is named), or parameters outside their bounds

    >>> import numpy as np
    >>> from verax.events import make_events
    >>> from verax.learn import classifier
    >>> from verax.systematics import scale_columns
    >>> table = make_events({"x": np.zeros(2)}, process=np.array([0, 1]), processes=("b", "s"))
    >>> scale = scale_columns("scale", 0.1, ("x",))
    >>> approach("inferno", classifier, table, ("x",), {"mu": ("s",)}, [scale]).bins
    10
    """
    check_known([name], APPROACHES, "learn", "approach")
    signal = next(iter(free.values()))
    plain = partial(make, features=tuple(features))
    loss, weigh = CrossEntropy(tuple(signal)), partial(balance, signal=tuple(signal))
    if name != "propagate":
        for systematic in systematics:
            systematic.check_traceable(f"approach '{name}'")
    match name:
        case "augment":
            return Approach(plain, augment(loss, systematics, per=per), weigh, _as_it_is, bernoulli)
        case "adversarial":
            shapes = [s for s in systematics if set(s.changes) != {"weight"}]
            if not shapes:
                raise InputError("approach 'adversarial'", "systematics of weights only", "one that moves columns")
            pair, objective = with_adversary(plain, shapes), adversarial(loss, shapes, strength=strength)
            return Approach(pair, objective, weigh, _network, bernoulli, optimizer=minimax())
        case "parameterised":
            params = params or {}
            known = by_name([s.parameter for s in systematics], params, "approach 'parameterised'")
            for parameter, value in params.items():
                check_value(known[parameter], value, "approach 'parameterised'")
            given, finish = parameterised(make, features, systematics), partial(_fixed, params, tuple(systematics))
            return Approach(given, parameterise(loss, systematics), weigh, finish, bernoulli)
        case "inferno":
            expected = inferno(events, systematics, free, temperature=temperature)
            sorts = partial(plain, outputs=bins)
            return Approach(
                sorts, expected, event_weight, partial(align, signal=tuple(signal)), softmax(temperature), bins
            )
        case _:
            return Approach(plain, loss, weigh, _as_it_is, bernoulli)


def _as_it_is(networks: Any, events: Events) -> Any:
    return networks


def _network(networks: Any, events: Events) -> Any:
    return without_adversary(networks)


def _fixed(params: Mapping[str, float], systematics: Sequence[Systematic], networks: Any, events: Events) -> Any:
    return at(networks, params, systematics=systematics)
