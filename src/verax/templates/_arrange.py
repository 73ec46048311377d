"""Templates rearranged: channels selected, things renamed, processes merged.

The terms are those of HistFactory (CERN-OPEN-2012-016).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from verax.errors import InputError, check_known

from ._templates import Templates
from ._treatment import cells, check_distinct


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


def mask(templates: Templates, channels: Sequence[str] | Mapping[str, Sequence[int]]) -> Templates:
    """Leave out channels, or bins of them.

    Parameters
    ----------
    templates : with these channels and others
    channels : their names; or bins by channel, numbered from 0: a channel that loses some has numbers for edges, one that
        loses all is left out

    Raises
    ------
    InputError : for an unknown channel or bin, or if none is left

    >>> from verax.model import example_templates
    >>> from verax.templates import combine
    >>> both = combine(example_templates(), rename(example_templates(), {"SR": "CR"}))
    >>> mask(both, ["CR"]).channels
    ('SR',)
    >>> mask(both, {"CR": [0]}).nominal.tolist()
    [[5.0, 15.0, 15.0], [50.0, 40.0, 40.0]]
    """
    check_known(channels, templates.channels, "mask", "channel")
    size = {c: len(e) - 1 for c, e in zip(templates.channels, templates.edges, strict=True)}
    gone = {c: set(channels[c] if isinstance(channels, Mapping) else range(size[c])) for c in channels}
    for channel, bins in gone.items():
        if wrong := bins - set(range(size[channel])):
            raise InputError(f"mask, channel '{channel}'", f"bin {min(wrong)}", f"bins from 0 to {size[channel] - 1}")
    left = [c for c in templates.channels if len(gone.get(c, ())) < size[c]]
    if not left:
        raise InputError("mask", f"all channels {list(channels)}", "a channel that is left")
    made = select(templates, left)
    keep = np.concatenate([[b not in gone.get(c, ()) for b in range(size[c])] for c in left])
    nominal, variance, up, down = (x[..., keep] for x in cells(made))
    edges = tuple(
        tuple(float(i) for i in range(size[c] - len(gone[c]) + 1)) if gone.get(c) else e
        for c, e in zip(left, made.edges, strict=True)
    )
    return replace(made, nominal=nominal, variance=variance, up=up, down=down, edges=edges)


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
    check_distinct(channels, "rename", "channels")
    check_distinct(processes, "rename", "processes")
    check_distinct([p.name for p in systematics], "rename", "systematics")
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
    check_distinct(parts, "merge", "processes to add")
    for name, members in processes.items():
        if not members:
            raise InputError("merge", f"nothing to add up for '{name}'", "one process or more")
    sum_of = {p: name for name, members in processes.items() for p in members}
    new = tuple(dict.fromkeys(sum_of.get(p, p) for p in templates.processes))
    taken = [n for n in processes if n in templates.processes and n not in parts]
    check_distinct([*taken, *new], "merge", "processes")
    adds = np.array([[sum_of.get(p, p) == n for p in templates.processes] for n in new], np.float64)
    nominal, variance, up, down = (adds @ x for x in cells(templates))
    return replace(templates, nominal=nominal, variance=variance, up=up, down=down, processes=new)
