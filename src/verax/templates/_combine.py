"""Two analyses as one: channels side by side, systematics of the same name correlated (CERN-OPEN-2012-016)."""

import numpy as np

from verax.errors import InputError

from ._templates import Templates
from ._treatment import cells


def combine(first: Templates, second: Templates) -> Templates:
    """Combine two analyses: the channels of both, each with its own bins, the first's before the second's.

    Processes and systematics of the same name are the same: a normalisation factor, or θ, acts on both. What only one
    of the two has is absent from the other's channels: no events, no variation. Rename first what is not the same.

    Parameters
    ----------
    first : templates; of a common systematic its group and bounds hold
    second : templates of other channels

    Raises
    ------
    InputError : for a channel that both have, or a systematic whose constraints differ

    >>> from verax.model import example_templates
    >>> from verax.templates import rename
    >>> combine(example_templates(), rename(example_templates(), {"SR": "CR"})).channels
    ('SR', 'CR')
    """
    shared = [c for c in second.channels if c in first.channels]
    if shared:
        raise InputError(
            "combine", f"channel '{shared[0]}' in both", "channels of different names", "rename one of them"
        )
    processes = tuple(dict.fromkeys([*first.processes, *second.processes]))
    table = {p.name: p for p in first.systematics}
    for p in second.systematics:
        known = table.setdefault(p.name, p)
        # Groups order a table, and bounds a fit: the first's hold. The constraint says what is measured.
        if known.constraint != p.constraint or known.init != p.init:
            raise InputError(
                f"combine, systematic '{p.name}'",
                f"{p.constraint} at {p.init:g} and {known.constraint} at {known.init:g}",
                "the same in both",
                "rename one of them if they are different things",
            )
    names = tuple(table)
    parts = [_expanded(t, processes, names) for t in (first, second)]
    nominal, variance, up, down = (np.concatenate(pair, axis=-1) for pair in zip(*parts, strict=True))
    channels, edges = (*first.channels, *second.channels), (*first.edges, *second.edges)
    return Templates(nominal, variance, up, down, channels, edges, processes, tuple(table.values()))


def _expanded(
    t: Templates, processes: tuple[str, ...], systematics: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The arrays over all processes and systematics, zero and nominal where the templates do not know them."""
    own = cells(t)
    rows = [processes.index(p) for p in t.processes]
    places = [systematics.index(p.name) for p in t.systematics]
    nominal, variance = (np.zeros((len(processes), own.nominal.shape[1])) for _ in range(2))
    nominal[rows], variance[rows] = own.nominal, own.variance
    up, down = (np.repeat(nominal[None], len(systematics), axis=0) for _ in range(2))
    if places:
        up[np.ix_(places, rows)], down[np.ix_(places, rows)] = own.up, own.down
    return nominal, variance, up, down
