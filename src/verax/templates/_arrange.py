"""Templates rearranged: channels selected, things renamed, processes merged, parameters correlated or not.

The terms are those of HistFactory (CERN-OPEN-2012-016).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from verax.errors import InputError, check_known

from ._templates import Templates
from ._treatment import acts, cells, systematic


def select(templates: Templates, channels: Sequence[str]) -> Templates:
    """Select channels, in this order.

    Parameters
    ----------
    templates : with these channels and others
    channels : their names

    Raises
    ------
    InputError : for an unknown channel, one that is named twice, or none at all

    >>> from verax.model import example_templates
    >>> from verax.templates import combine
    >>> both = combine(example_templates(), rename(example_templates(), {"SR": "CR"}))
    >>> both.channels, select(both, ["CR"]).channels
    (('SR', 'CR'), ('CR',))
    """
    check_known(channels, templates.channels, "select", "channel")
    if not channels or len(set(channels)) < len(channels):
        raise InputError("select", f"channels {list(channels)}", "one channel or more, each of them once")
    where = templates.slices()
    bins = np.concatenate([np.arange(where[c].start, where[c].stop) for c in channels])
    nominal, variance, up, down = (x[..., bins] for x in cells(templates))
    edges = tuple(templates.edges[templates.channels.index(c)] for c in channels)
    return Templates(nominal, variance, up, down, tuple(channels), edges, templates.processes, templates.systematics)


def mask(templates: Templates, channels: Sequence[str]) -> Templates:
    """Leave out channels.

    Parameters
    ----------
    templates : with these channels and others
    channels : their names

    Raises
    ------
    InputError : for an unknown channel, or if none is left

    >>> from verax.model import example_templates
    >>> from verax.templates import combine
    >>> both = combine(example_templates(), rename(example_templates(), {"SR": "CR"}))
    >>> mask(both, ["CR"]).channels
    ('SR',)
    """
    check_known(channels, templates.channels, "mask", "channel")
    left = [c for c in templates.channels if c not in channels]
    if not left:
        raise InputError("mask", f"all channels {list(channels)}", "a channel that is left")
    return select(templates, left)


def rename(templates: Templates, names: Mapping[str, str]) -> Templates:
    """Rename processes, channels and systematics; a name applies to all things that bear it.

    Parameters
    ----------
    templates : any
    names : old name → new name

    Raises
    ------
    InputError : for an unknown name, or if two things of one kind would bear the same

    >>> from verax.model import example_templates
    >>> rename(example_templates(), {"SR": "high mass", "signal": "Higgs"}).processes
    ('Higgs', 'background')
    """
    known = [*templates.processes, *templates.channels, *(p.name for p in templates.systematics)]
    check_known(names, known, "rename", "process, channel or systematic")
    channels = tuple(names.get(c, c) for c in templates.channels)
    processes = tuple(names.get(p, p) for p in templates.processes)
    systematics = tuple(replace(p, name=names.get(p.name, p.name)) for p in templates.systematics)
    _distinct(channels, "rename", "channels")
    _distinct(processes, "rename", "processes")
    _distinct([p.name for p in systematics], "rename", "systematics")
    return replace(templates, channels=channels, processes=processes, systematics=systematics)


def merge(templates: Templates, processes: Mapping[str, Sequence[str]]) -> Templates:
    """Merge processes: nominal, Σw², up and down are summed. The sum stands where the first of its parts stood.

    Parameters
    ----------
    templates : any
    processes : new name → processes that it sums

    Raises
    ------
    InputError : for an unknown process, one that would be added twice, a sum of nothing, or a name that is taken

    >>> from verax.model import example_templates
    >>> merge(example_templates(), {"all": ["signal", "background"]}).nominal.tolist()
    [[55.0, 55.0]]
    """
    parts = [p for members in processes.values() for p in members]
    check_known(parts, templates.processes, "merge", "process")
    _distinct(parts, "merge", "processes to add")
    for name, members in processes.items():
        if not members:
            raise InputError("merge", f"nothing to add up for '{name}'", "one process or more")
    sum_of = {p: name for name, members in processes.items() for p in members}
    new = tuple(dict.fromkeys(sum_of.get(p, p) for p in templates.processes))
    taken = [n for n in processes if n in templates.processes and n not in parts]
    _distinct([*taken, *new], "merge", "processes")
    adds = np.array([[sum_of.get(p, p) == n for p in templates.processes] for n in new], np.float64)
    nominal, variance, up, down = (adds @ x for x in cells(templates))
    return replace(templates, nominal=nominal, variance=variance, up=up, down=down, processes=new)


def decorrelate(templates: Templates, name: str, by: str = "channel") -> Templates:
    """Decorrelate a systematic: one for each channel where it acts, "name_channel", each with its own θ; or each process.

    Parameters
    ----------
    templates : any
    name : the systematic
    by : "channel" or "process"

    Raises
    ------
    InputError : for an unknown systematic, with its nearest; or if a new name is taken

    >>> from verax.model import example_templates
    >>> [p.name for p in decorrelate(example_templates(), "jes").systematics]
    ['background_norm', 'jes_SR']
    """
    check_known([by], ("channel", "process"), "decorrelate", "kind")
    k = systematic(templates, name, "decorrelate")
    active = acts(templates)[k].any(axis=0 if by == "channel" else 1)
    nominal, _, up, down = cells(templates)
    spread = []
    for j, part in enumerate(templates.channels if by == "channel" else templates.processes):
        if active[j]:
            here = np.zeros(nominal.shape, bool)
            here[(slice(None), templates.slices()[part]) if by == "channel" else j] = True
            parameter = replace(templates.systematics[k], name=f"{name}_{part}")
            spread.append((parameter, np.where(here, up[k], nominal), np.where(here, down[k], nominal)))
    if not spread:
        return templates
    systematics = (*templates.systematics[:k], *(p for p, _, _ in spread), *templates.systematics[k + 1 :])
    _distinct([p.name for p in systematics], "decorrelate", "systematics")
    up = np.concatenate([up[:k], np.stack([u for _, u, _ in spread]), up[k + 1 :]])
    down = np.concatenate([down[:k], np.stack([d for _, _, d in spread]), down[k + 1 :]])
    return replace(templates, up=up, down=down, systematics=systematics)


def correlate(templates: Templates, names: Sequence[str], new: str) -> Templates:
    """Correlate several systematics: a single θ of name ``new`` moves them all, in the same direction.

    Where several act on the same bin of a process, their changes add up linearly. The parameter stands where the first
    stood, with its group.

    Parameters
    ----------
    templates : any
    names : the systematics
    new : name of the common parameter

    Raises
    ------
    InputError : for an unknown systematic, with its nearest; none; different constraints; or if the name is taken

    >>> from verax.model import example_templates
    >>> [p.name for p in correlate(example_templates(), ["background_norm", "jes"], "both").systematics]
    ['both']
    """
    if not names:
        raise InputError("correlate", "no systematic", "one or more")
    _distinct(names, "correlate", "systematics")
    places = [systematic(templates, n, "correlate") for n in names]
    first = templates.systematics[places[0]]
    for k in places[1:]:
        other = templates.systematics[k]
        if other.constraint != first.constraint:
            raise InputError("correlate", f"'{first.name}' and '{other.name}'", "systematics with the same constraint")
    nominal, _, up, down = cells(templates)
    up[places[0]], down[places[0]] = (_added(nominal, side[places]) for side in (up, down))
    kept = [k for k in range(len(templates.systematics)) if k not in places[1:]]
    moved = {first.name: replace(first, name=new)}
    systematics = tuple(moved.get(p.name, p) for p in (templates.systematics[k] for k in kept))
    _distinct([p.name for p in systematics], "correlate", "systematics")
    return replace(templates, up=up[kept], down=down[kept], systematics=systematics)


def _added(nominal: np.ndarray, varied: np.ndarray) -> np.ndarray:
    """Nominal + Σ changes; bit by bit the variation itself where only one acts."""
    change = varied - nominal
    alone = (change != 0).sum(axis=0) == 1
    one = np.take_along_axis(varied, abs(change).argmax(axis=0)[None], axis=0)[0]
    return np.where(alone, one, nominal + change.sum(axis=0))


def _distinct(names: Sequence[str], where: str, kind: str) -> None:
    for name in names:
        if list(names).count(name) > 1:
            raise InputError(where, f"'{name}' more than once among the {kind}", "each name once")
