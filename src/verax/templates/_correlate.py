"""Which systematics move together: parameters correlated, decorrelated, in part, and restricted to channels.

The terms are those of HistFactory (CERN-OPEN-2012-016).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from verax.errors import InputError, check_known

from ._layout import Layout
from ._split import normalisation_part
from ._templates import Templates
from ._treatment import acts, cells, check_distinct, systematic


def restrict(templates: Templates, name: str, *, channels: Sequence[str]) -> Templates:
    """Restrict a systematic to some channels: elsewhere its variations are nominal.

    Parameters
    ----------
    templates : any
    name : the systematic
    channels : where it acts

    Raises
    ------
    InputError : for an unknown systematic or channel, with its nearest

    >>> from verax.model import example_templates
    >>> from verax.templates import combine, rename
    >>> both = combine(example_templates(), rename(example_templates(), {"SR": "CR"}))
    >>> one = restrict(both, "jes", channels=["CR"])
    >>> [float(abs(one.up[1] - one.nominal)[:, where].sum()) for where in one.slices().values()]
    [0.0, 2.0]
    """
    k = systematic(templates, name, "restrict")
    check_known(channels, templates.channels, "restrict", "channel")
    nominal, _, up, down = cells(templates)
    here = np.isin(templates.channels, channels)[_channel(templates)]
    up[k], down[k] = np.where(here, up[k], nominal), np.where(here, down[k], nominal)
    return replace(templates, up=up, down=down)


def decorrelate(
    templates: Templates, name: str, by: str | Sequence[Mapping[str, Sequence[str]] | str] = "channel", rho: float = 0.0
) -> Templates:
    """Decorrelate a systematic: one for each channel where it acts, "name_channel", each with its own θ; or each process.

    With a correlation 0 < ρ < 1, a part's variation is √ρ of a common θ, which keeps the name, and √(1 − ρ) of its own:
    its prior width stays, and the effects of two parts have the correlation ρ. A fraction s of a variation has s of its
    shape and the power s of its factor, so that log-normal yields and linear shapes are exact.

    Parameters
    ----------
    templates : any
    name : the systematic
    by : "channel", "process", or names of parts and the channels or processes that are theirs; for several of these there
        is one θ for each combination
    rho : correlation of the parts

    Raises
    ------
    InputError : for an unknown systematic, with its nearest; where it acts on what belongs to no part, or to two; for a
        correlation outside [0, 1); or if a new name is taken

    >>> from verax.model import example_templates
    >>> [p.name for p in decorrelate(example_templates(), "jes").systematics]
    ['background_norm', 'jes_SR']
    >>> [p.name for p in decorrelate(example_templates(), "jes", [{"2017": ["SR"]}], rho=0.5).systematics]
    ['background_norm', 'jes', 'jes_2017']
    """
    k = systematic(templates, name, "decorrelate")
    if not 0 <= rho < 1:
        raise InputError("decorrelate", f"a correlation of {rho:g}", "0 or more, below 1", "for 1, leave it as it is")
    active = acts(templates)[k]
    nominal, _, up, down = cells(templates)
    own, common = (_fraction(templates, k, np.sqrt(f)) for f in (1 - rho, rho))
    spread = [(templates.systematics[k], *common)] if rho and active.any() else []
    for part, chosen in _parts(templates, name, by, active).items():
        here = chosen[:, _channel(templates)]
        high, low = (np.where(here, side, nominal) for side in own)
        spread.append((replace(templates.systematics[k], name=f"{name}_{part}"), high, low))
    if not spread:
        return templates
    systematics = (*templates.systematics[:k], *(p for p, _, _ in spread), *templates.systematics[k + 1 :])
    check_distinct([p.name for p in systematics], "decorrelate", "systematics")
    up = np.concatenate([up[:k], np.stack([u for _, u, _ in spread]), up[k + 1 :]])
    down = np.concatenate([down[:k], np.stack([d for _, _, d in spread]), down[k + 1 :]])
    return replace(templates, up=up, down=down, systematics=systematics)


def _parts(
    templates: Templates,
    name: str,
    by: str | Sequence[Mapping[str, Sequence[str]] | str],
    active: np.ndarray,
) -> dict[str, np.ndarray]:
    """The cells [process, channel] of each part in which a systematic acts; parts in which it does not are left out."""
    found = {"": active}
    for each in (by,) if isinstance(by, str) else by:
        if isinstance(each, str):
            check_known([each], ("channel", "process"), "decorrelate", "kind")
            each = {part: [part] for part in (templates.channels if each == "channel" else templates.processes)}
        cut = {}
        for part, members in each.items():
            check_known(members, (*templates.channels, *templates.processes), "decorrelate", "channel or process")
            cut[part] = np.isin(templates.processes, members)[:, None] | np.isin(templates.channels, members)
        times = np.sum(list(cut.values()), axis=0)
        for i, j in np.argwhere(active & (times != 1)):
            where = f"decorrelate '{name}', process '{templates.processes[i]}' in channel '{templates.channels[j]}'"
            raise InputError(where, f"{times[i, j]} of the parts {', '.join(each)}", "one part that it belongs to")
        found = {f"{a}_{b}".lstrip("_"): x & y for a, x in found.items() for b, y in cut.items()}
    return {part: chosen for part, chosen in found.items() if chosen.any()}


def _fraction(templates: Templates, k: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """A variation's up and down with a share of its effect: of the shape, linearly, and that power of its factor."""
    nominal, _, up, down = cells(templates)
    if share == 1:
        return up[k], down[k]
    channel, sides = _channel(templates), []
    for log, side in zip(normalisation_part(nominal, up[[k]], down[[k]], channel), (up[k], down[k]), strict=True):
        factor = np.exp(log[0])[:, channel]
        sides.append((nominal + share * (side / factor - nominal)) * factor**share)
    return sides[0], sides[1]


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
    check_distinct(names, "correlate", "systematics")
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
    check_distinct([p.name for p in systematics], "correlate", "systematics")
    return replace(templates, up=up[kept], down=down[kept], systematics=systematics)


def _added(nominal: np.ndarray, varied: np.ndarray) -> np.ndarray:
    """Nominal + Σ changes; bit by bit the variation itself where only one acts."""
    change = varied - nominal
    alone = (change != 0).sum(axis=0) == 1
    one = np.take_along_axis(varied, abs(change).argmax(axis=0)[None], axis=0)[0]
    return np.where(alone, one, nominal + change.sum(axis=0))


def _channel(templates: Templates) -> np.ndarray:
    """The channel's number of each bin."""
    return Layout(tuple(len(e) - 1 for e in templates.edges)).channel
