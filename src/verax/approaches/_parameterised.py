"""Parameterised networks: f(x; θ) learns the best decision at every θ (arXiv:1601.07913; uncertainty-aware: 2105.08742).

A measurement needs one summary for all θ: fix the network at one value (:func:`at`), and fill templates of that summary
at each θ. To fill data with f(x; θ) again at each θ of a fit compares likelihoods of different observations.
"""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from verax.errors import check_known
from verax.events import Events
from verax.learn import Loss, Make, Network, Standardise
from verax.parameters import Parameter, Params, check_value
from verax.systematics import Systematic

from ._augment import Augmented, column_of, given


def parameterise(loss: Loss, systematics: Sequence[Systematic]) -> Augmented:
    """Draw θ from the prior, one per event, for a ``loss`` of a network that reads it.

    Parameters
    ----------
    loss : ``(network, batch of events, key) → scalar``
    systematics : those whose parameters are drawn

    >>> from verax.learn import CrossEntropy
    >>> from verax.systematics import scale_columns
    >>> parameterise(CrossEntropy(("signal",)), [scale_columns("scale", 0.1, ("x",))]).give
    True
    """
    return Augmented(loss, tuple(systematics), "event", give=True)


def parameterised(make: Callable[..., Any], features: Sequence[str], systematics: Sequence[Systematic]) -> Make:
    """Give the network that ``make(key, events, features=…)`` makes the parameters as further inputs.

    Parameters
    ----------
    make : ``(key, events, features=…) → network``
    features : columns that it reads beside the parameters
    systematics : those whose parameters it reads

    >>> import numpy as np
    >>> from functools import partial
    >>> from verax.events import make_events
    >>> from verax.learn import classifier
    >>> from verax.systematics import scale_columns
    >>> make = parameterised(partial(classifier, width=8, depth=1), ("x",), [scale_columns("scale", 0.1, ("x",))])
    >>> make(jax.random.key(1), make_events({"x": np.linspace(-1, 1, 64)})).features
    ('x', 'θ|scale')
    """
    columns = tuple(column_of(s.name) for s in systematics)

    def made(key: PRNGKeyArray, events: Events) -> Any:
        # Columns of zeros, which standardise to centre 0 and scale 1: θ is in units of its prior as it is.
        table = given(events, {s.name: jnp.zeros(()) for s in systematics})
        return make(key, table, features=(*features, *columns))

    return made


def at(network: Any, params: Params | None = None, *, systematics: Sequence[Systematic] = ()) -> Any:
    """Fix a network at values of its parameters (0 unless given): it then reads its events' columns only.

    Works on networks stacked along any leading axes. A constant input is a bias of the first layer.

    Parameters
    ----------
    network : of :func:`parameterised`
    params : values of parameters, in units of their prior widths
    systematics : those that give the parameters' bounds

    Raises
    ------
    InputError : for a parameter that the network does not have, a value that is no number, or one outside the bounds
        that ``systematics`` give

    >>> import numpy as np
    >>> from functools import partial
    >>> from verax.events import make_events
    >>> from verax.learn import classifier
    >>> from verax.systematics import scale_columns
    >>> make = parameterised(partial(classifier, width=8, depth=1), ("x",), [scale_columns("scale", 0.1, ("x",))])
    >>> at(make(jax.random.key(1), make_events({"x": np.linspace(-1, 1, 64)})), {"scale": 0.5}).features
    ('x',)
    """
    names = [f.removeprefix(column_of("")) for f in network.features if f.startswith(column_of(""))]
    params = params or {}
    check_known(params, names, "parameterised network", "parameter")
    known = {s.name: s.parameter for s in systematics}
    for name, number in params.items():
        check_value(known.get(name, Parameter(name)), number, "parameterised network")
    n = len(network.features) - len(names)
    first, inner = network.layers[0], network.standardise
    value = jnp.asarray([params.get(name, 0.0) for name in names], jnp.float32)
    constant = (value - inner.centre[..., n:]) / inner.scale[..., n:]
    # W·(x, c) + b = W_x·x + (b + W_c·c), with c the standardised parameters
    bias = first.bias + jnp.einsum("...of,...f->...o", first.weight[..., n:], constant)
    narrower = eqx.nn.Linear(n, first.out_features, key=jax.random.key(0))
    layer = eqx.tree_at(lambda m: (m.weight, m.bias), narrower, (first.weight[..., :n], bias))
    standardise = Standardise(inner.centre[..., :n], inner.scale[..., :n], inner.missing)
    return Network(network.features[:n], standardise, (layer, *network.layers[1:]))
