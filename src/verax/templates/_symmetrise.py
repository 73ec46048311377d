"""Up and down of a HistFactory variation (CERN-OPEN-2012-016) made symmetric about the nominal template, bin by bin."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from verax.errors import check_known

from ._templates import Templates
from ._treatment import acts, cells, systematic

SHIFTS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "average": lambda rise, fall: (rise - fall) / 2,
    "mirror-up": lambda rise, fall: rise,
    "mirror-down": lambda rise, fall: -fall,
    "absolute-mean": lambda rise, fall: (abs(rise) + abs(fall)) / 2,
    "maximum": lambda rise, fall: np.where(abs(rise) >= abs(fall), rise, fall),
    "maximum-signed": lambda rise, fall: np.where(abs(rise) >= abs(fall), rise, -fall),
}


@dataclass(frozen=True)
class Symmetrised:
    """What was done to a systematic in one process and channel.

    Parameters
    ----------
    size : largest change of up or down in a bin, relative to nominal; infinite where nominal is not positive
    one_sided : bins in which up and down lay on the same side of nominal, which ``average`` takes for a fluctuation
    cut : bins in which a mirrored side fell below zero and was set to zero
    """

    systematic: str
    process: str
    channel: str
    size: float
    one_sided: int
    cut: int


def symmetrise(templates: Templates, name: str, method: str = "average") -> tuple[Templates, tuple[Symmetrised, ...]]:
    """Symmetrise one systematic, up = nominal + s and down = nominal − s: the templates, and the list of what changed.

    The shift s of a bin follows from the two changes r = up − nominal and f = down − nominal. Names and meanings are those
    of TRExFitter (https://trexfitter-docs.web.cern.ch, ``Symmetrisation``; ``HistoTools.cc``):

    ==================  ===================  ==============================================================
    method              TRExFitter           s
    ==================  ===================  ==============================================================
    ``average``         TWOSIDED             (r − f)/2: what is common to both sides cancels
    ``mirror-up``       ONESIDED             r: down is made from up
    ``mirror-down``     ONESIDED             −f: up is made from down
    ``absolute-mean``   ABSMEAN              (|r| + |f|)/2: always upwards
    ``maximum``         MAXIMUM              the larger of r and f, with its own sign
    ``maximum-signed``  MAXIMUMKEEPSIGN      the larger of r and −f, so that the direction of up is kept
    ==================  ===================  ==============================================================

    As there, a side that falls below zero where nominal is not negative is set to zero.

    Parameters
    ----------
    templates : any
    name : the systematic
    method : the first column of the table

    Raises
    ------
    InputError : for an unknown systematic or method, with the nearest known

    >>> from verax.model import example_templates
    >>> _, changed = symmetrise(example_templates(), "jes", "absolute-mean")
    >>> [(c.process, round(c.size, 2)) for c in changed]
    [('signal', 0.2)]
    """
    check_known([method], SHIFTS, "symmetrise", "method")
    k = systematic(templates, name, "symmetrise")
    nominal, _, up, down = cells(templates)
    rise, fall = up[k] - nominal, down[k] - nominal
    shift = SHIFTS[method](rise, fall)
    new_up, new_down = nominal + shift, nominal - shift
    cut = (nominal >= 0) & (np.minimum(new_up, new_down) < 0)
    new_up, new_down = (np.where(cut, np.maximum(side, 0.0), side) for side in (new_up, new_down))
    # A side that stays is kept bit by bit: nominal + (up − nominal) need not be up.
    new_up, new_down = (
        np.where(abs(new - old) <= 1e-15 * (abs(nominal) + abs(old)), old, new)
        for new, old in ((new_up, up[k]), (new_down, down[k]))
    )
    change = np.maximum(abs(new_up - up[k]), abs(new_down - down[k]))
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(change > 0, np.where(nominal > 0, change / nominal, np.inf), 0.0)
    found, channels = [], templates.slices()
    for c, i in np.argwhere(acts(templates)[k].T):
        process, channel = templates.processes[i], templates.channels[c]
        where = channels[channel]
        same, size = int((rise[i, where] * fall[i, where] > 0).sum()), float(relative[i, where].max())
        found.append(Symmetrised(name, process, channel, size, same, int(cut[i, where].sum())))
    up[k], down[k] = new_up, new_down
    return replace(templates, up=up, down=down), tuple(found)
