"""The figure of the probability integral transform: are predicted distributions calibrated?"""

import numpy as np
from matplotlib.figure import Figure

from verax.arrays import Float, Shaped
from verax.errors import InputError
from verax.given import effective_size

from ._style import ONE_SIGMA, PLAIN, TWO_SIGMA, Style, drawing, heading, main_and_ratio


@drawing()
def pit(
    values: Float[np.ndarray, " event"],
    *,
    weight: Shaped[np.ndarray, "..."] | None = None,
    bins: int = 10,
    xlabel: str = "Probability integral transform $u = F(y|x)$",
    style: Style = PLAIN,
) -> Figure:
    """Draw the distribution of u = F(y|x), uniform for calibrated predictions, and its running sum less the diagonal.

    A hill in the middle means predictions that are too wide, a valley too narrow ones, a slope a bias. The bands hold
    one and two standard deviations of the running sum of exactly calibrated predictions, √(u(1 − u)/n_eff).

    Parameters
    ----------
    values : u of each event, in [0, 1]
    weight : of any sign, as they are

    Raises
    ------
    InputError : for no events, values outside [0, 1], weights of no use, or no bin
    """
    from verax.calibrate import uniformity  # half a second, which no other figure needs

    if bins < 1:
        raise InputError("PIT figure", f"{bins} bins", "one or more")
    _, p_value = uniformity(values, weight=weight, negative="signed")
    w = np.ones(len(values)) if weight is None else np.asarray(weight, np.float64)
    edges, n = np.linspace(0, 1, bins + 1), effective_size(w)
    share, _ = np.histogram(values, edges, weights=w)
    square, _ = np.histogram(values, edges, weights=w**2)
    height, error = bins * share / w.sum(), bins * np.sqrt(square) / w.sum()
    figure, main, lower = main_and_ratio(5.8, 6.4, ratio=0.45)
    main.axhline(1.0, color="black", lw=1.0, ls=(0, (4, 3)), label="Exactly calibrated")
    main.stairs(height, edges, color="black", lw=1.4)
    label = f"Kolmogorov–Smirnov $p$ = {p_value:.2g}"
    main.errorbar((edges[1:] + edges[:-1]) / 2, height, yerr=error, fmt="o", color="black", ms=4, lw=1.4, label=label)
    main.set(ylabel="Density", xlim=(0.0, 1.0))
    main.set_ylim(min(0.0, float((height - error).min()) - 0.05), 1.45 * max(1.0, float((height + error).max())))
    main.legend(loc="upper left")
    order = np.argsort(values)
    running = np.cumsum(w[order]) / w.sum()
    u = np.linspace(0, 1, 101)
    sigma = np.sqrt(u * (1 - u) / n)
    for factor, colour in ((2, TWO_SIGMA), (1, ONE_SIGMA)):
        lower.fill_between(u, -factor * sigma, factor * sigma, color=colour, lw=0)
    lower.step(
        np.append(0.0, values[order]), np.append(0.0, running - values[order]), where="post", color="black", lw=1.2
    )
    lower.set_ylabel("Running sum − $u$", loc="center")
    lower.set_xlabel(xlabel)
    heading(main, style)
    figure.align_ylabels([main, lower])
    return figure
