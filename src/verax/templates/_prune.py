"""Negligible effects of systematics left out of a HistFactory model (CERN-OPEN-2012-016), and listed."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from verax.errors import InputError

from ._layout import Layout
from ._split import normalisation_part
from ._templates import Templates
from ._treatment import acts, cells

ROUNDING = 1e-12
"""Relative changes up to this are none."""


@dataclass(frozen=True)
class Pruned:
    """One effect that was left out.

    Parameters
    ----------
    systematic, process, channel : where; process and channel are empty for a whole parameter
    effect : its shape, its normalisation, the parameter itself because nothing of it is left, or the γ of a bin
    size : largest relative change at θ = ±1: of a bin at equal yield (shape), or of the yield (normalisation); or γ's error
    """

    systematic: str
    process: str
    channel: str
    effect: Literal["shape", "normalisation", "parameter", "staterror"]
    size: float


def prune(templates: Templates, *, shape: float, normalisation: float) -> tuple[Templates, tuple[Pruned, ...]]:
    """Prune negligible effects: templates without those below the thresholds, and the list of what was left out.

    A variation is split per process and channel into its normalisation (the ratio of yields) and its shape (the rest, at
    the nominal yield), as in the likelihood. Each is dropped by itself where its largest relative change, up or down, is
    smaller than its threshold; a systematic without any effect left is removed. Thresholds of zero keep all that acts.
    TRExFitter does the same by ``SystPruningShape`` and ``SystPruningNorm``.

    Many small effects may add up: compare a fit with and without before relying on large thresholds.

    Parameters
    ----------
    templates : any
    shape : relative threshold of shapes, 0.001 is 0.1 %
    normalisation : relative threshold of normalisations

    Raises
    ------
    InputError : for a negative threshold

    >>> from verax.model import example_templates
    >>> _, left_out = prune(example_templates(), shape=0.2, normalisation=0.0)
    >>> [(p.systematic, p.process, p.effect, round(p.size, 2)) for p in left_out]
    [('jes', 'signal', 'shape', 0.16)]
    """
    for what, value in (("shape", shape), ("normalisation", normalisation)):
        if not 0 <= value < np.inf:
            raise InputError("prune", f"{what} threshold {value}", "a relative size, zero or above")
    nominal, _, up, down = cells(templates)
    channel = Layout(tuple(len(e) - 1 for e in templates.edges)).channel
    factors = [np.exp(log) for log in normalisation_part(nominal, up, down, channel)]  # [systematic process channel]
    known, channels, found = [p.name for p in templates.systematics], templates.slices(), list[Pruned]()
    for k, i, c in np.argwhere(acts(templates)):
        place = known[k], templates.processes[i], templates.channels[c]
        where = channels[templates.channels[c]]
        centre = nominal[i, where]
        scale = [float(f[k, i, c]) for f in factors]
        shapes = [up[k, i, where] / scale[0], down[k, i, where] / scale[1]]
        form = max(largest_change(centre, s) for s in shapes)
        size = max(abs(s - 1.0) for s in scale)
        flat, still = form < shape, size < normalisation
        if flat and form > 0:
            found.append(Pruned(*place, "shape", form))
        if still and size > 0:
            found.append(Pruned(*place, "normalisation", size))
        if flat:
            shapes = [centre, centre]
        if flat or still:
            up[k, i, where] = shapes[0] * (1.0 if still else scale[0])
            down[k, i, where] = shapes[1] * (1.0 if still else scale[1])
    left = replace(templates, up=up, down=down)
    kept = np.asarray(acts(left).any(axis=(1, 2)))
    for k, parameter in enumerate(templates.systematics):
        if not kept[k]:
            size = max((p.size for p in found if p.systematic == parameter.name), default=0.0)
            found.append(Pruned(parameter.name, "", "", "parameter", size))
    systematics = tuple(p for p, keep in zip(templates.systematics, kept, strict=True) if keep)
    return replace(left, up=up[kept], down=down[kept], systematics=systematics), tuple(found)


def largest_change(nominal: np.ndarray, varied: np.ndarray) -> float:
    """Largest relative change of a bin; infinite where there is nothing to be relative to. Rounding counts as none."""
    change = abs(varied - nominal)
    change[change <= ROUNDING * abs(nominal)] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(change > 0, change / abs(nominal), 0.0).max(initial=0.0))
