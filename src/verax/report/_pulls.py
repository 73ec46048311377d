"""Figure of pulls: how far the data move the constrained parameters, and how much they constrain them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from verax.errors import InputError

from ._style import ONE_SIGMA, PLAIN, TWO_SIGMA, Style, drawing, heading, one_panel

Parameters = Float[np.ndarray, " parameter"]


@drawing()
def pulls(names: Sequence[str], pull: Parameters, error: Parameters, *, style: Style = PLAIN) -> Figure:
    """Draw the best fit of each parameter less its nominal value, in prior widths; bands are one and two of those.

    Parameters
    ----------
    pull, error : (θ̂ − global observable) / Δθ and σ̂ / Δθ

    Raises
    ------
    InputError : for no parameter, or lengths that differ
    """
    n = len(names)
    if not n or pull.shape != (n,) or error.shape != (n,):
        raise InputError("pulls figure", f"{n} names, {pull.size} pulls, {error.size} errors", "one of each, or more")
    rows = np.arange(n, dtype=np.float64)
    figure, axes = one_panel(6.6, 1.4 + 0.27 * max(n, 3))
    for k, colour in ((2, TWO_SIGMA), (1, ONE_SIGMA)):
        axes.axvspan(-k, k, color=colour, lw=0)
    axes.axvline(0.0, color="0.35", lw=0.9, ls=(0, (4, 3)))
    axes.errorbar(pull, rows, xerr=np.nan_to_num(error), fmt="o", color="black", ms=4.5, lw=1.4, capsize=2.0)
    reach = max(2.4, 1.1 * float(np.nanmax(np.abs(pull) + np.nan_to_num(error), initial=0.0)))
    axes.set(xlim=(-reach, reach), ylim=(n - 0.4, -0.6))
    axes.set_yticks(rows, style.names_of(names))
    axes.tick_params(axis="y", which="both", left=False, right=False)
    axes.set_xlabel(r"Pull $(\hat{\theta} - \theta_0)\,/\,\Delta\theta$")
    heading(axes, style, wide=True)
    return figure
