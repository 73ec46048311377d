"""Variations freed of simulation noise: the ratio to nominal is smoothed, the yield of each channel stays.

Two methods. ``353QH`` is the running-median filter of Friedman, run twice (J. H. Friedman, in: Proc. of the 1974 CERN
School of Computing, CERN 74-23, p. 271; ROOT's ``TH1::Smooth``): it knows no errors, and keeps edges of plateaus of three
bins and more. ``merge`` joins neighbouring bins until their ratios differ by more than their simulation error allows, in
the spirit of TRExFitter's ``TTBARRESONANCE``: a step that the simulation resolves survives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from verax.arrays import Float
from verax.errors import InputError, check_known

from ._templates import Templates
from ._treatment import acts, cells

Bins = Float[np.ndarray, " bin"]


@dataclass(frozen=True)
class Smoothed:
    """What smoothing did to one side of a systematic in one process and channel.

    Parameters
    ----------
    side : "up" or "down"
    size : largest change of a bin, relative to nominal
    error : median simulation error of the ratio to nominal, for comparison
    """

    systematic: str
    process: str
    channel: str
    side: Literal["up", "down"]
    size: float
    error: float


def smooth(
    templates: Templates,
    names: Sequence[str] | None = None,
    *,
    method: str = "353QH",
    independent: bool = True,
    significance: float = 2.0,
) -> tuple[Templates, tuple[Smoothed, ...]]:
    """Smooth variations: templates with the smoothed ones, and the list of what changed.

    Sides are smoothed one by one, per process and channel. The error of a ratio R = varied / nominal follows from Σw² of
    nominal. Bins without nominal events stay as they are.

    Parameters
    ----------
    templates : any
    names : systematics to smooth. Unless given, all sides in which simulation statistics dominate: where in the median
        bin the error of R is larger than the change of the shape. Variations made of the nominal's own events are more
        precise than their Σw² says: name those from samples of their own if there are others
    method : "353QH" or "merge"
    independent : the variation has a sample of its own, of equal size: its error adds to that of nominal. Otherwise
        nominal's error alone counts, which is an upper limit
    significance : for ``merge``; neighbouring groups of bins stay apart if their ratios differ by that many errors

    Raises
    ------
    InputError : for an unknown systematic or method, with the nearest known; a significance that is not positive

    >>> from verax.model import example_templates
    >>> _, changed = smooth(example_templates(), ["jes"])  # two bins: nothing to smooth
    >>> changed
    ()
    """
    check_known([method], ("353QH", "merge"), "smooth", "method")
    known = [p.name for p in templates.systematics]
    check_known(names or (), known, "smooth", "systematic")
    if not significance > 0:
        raise InputError("smooth", f"significance {significance}", "a positive number of errors")
    nominal, variance, up, down = cells(templates)
    sides: tuple[tuple[Literal["up", "down"], np.ndarray], ...] = (("up", up), ("down", down))
    found: list[Smoothed] = []
    for k, i, c in np.argwhere(acts(templates)):
        if names is not None and known[k] not in names:
            continue
        channel = templates.channels[c]
        bins = np.arange(nominal.shape[1])[templates.slices()[channel]]
        bins = bins[nominal[i, bins] > 0]
        if bins.size < 3:
            continue
        centre = nominal[i, bins]
        for side, variation in sides:
            varied = variation[k, i, bins]
            ratio = varied / centre
            error = ratio_error(ratio, np.sqrt(variance[i, bins]) / centre, independent=independent)
            shape = abs(ratio * centre.sum() / (varied.sum() or 1.0) - 1.0)
            if names is None and np.median(error) <= np.median(shape):
                continue
            new = _filtered(ratio, centre) if method == "353QH" else merged(ratio, centre, error, significance)
            size = float(abs(new - ratio).max())
            if size > 1e-12:
                variation[k, i, bins] = new * centre
                median = float(np.median(error))
                found.append(Smoothed(known[k], templates.processes[i], channel, side, size, median))
    return replace(templates, up=up, down=down), tuple(found)


def ratio_error(ratio: Bins, relative: Bins, *, independent: bool) -> Bins:
    """Error of varied / nominal, given the relative error of nominal.

    A sample of equal size has the same events' weights, so the relative variance of the variation is that of nominal over
    R: σ_R² = R² (σ² + σ²/R). Otherwise σ_R = R σ.
    """
    size = np.maximum(ratio, 0.0)
    return relative * np.sqrt(size**2 + size) if independent else relative * size


def merged(ratio: Bins, nominal: Bins, error: Bins, significance: float) -> Bins:
    """The ratio, constant over groups of bins, all of which differ from their neighbours by ``significance`` errors.

    From single bins, the two neighbouring groups whose ratios agree best are joined until none agree. A group's ratio is
    that of its sums, so yields are kept.
    """
    groups = [[i] for i in range(ratio.size)]
    weight, value = nominal.tolist(), (ratio * nominal).tolist()
    noise = ((error * nominal) ** 2).tolist()
    while len(groups) > 1:
        mean, spread = np.divide(value, weight), np.divide(noise, np.square(weight))
        pull = abs(np.diff(mean)) / np.sqrt(np.maximum(spread[1:] + spread[:-1], 1e-300))
        j = int(np.argmin(pull))
        if pull[j] >= significance:
            break
        groups[j : j + 2] = [groups[j] + groups[j + 1]]
        for sums in (weight, value, noise):
            sums[j : j + 2] = [sums[j] + sums[j + 1]]
    return np.repeat(np.divide(value, weight), [len(g) for g in groups])


def _filtered(ratio: np.ndarray, nominal: np.ndarray) -> np.ndarray:
    new = smooth_353qh(ratio)
    total = (new * nominal).sum()
    return np.asarray(new * ((ratio * nominal).sum() / total)) if total > 0 else ratio


def smooth_353qh(values: Bins) -> Bins:
    """The filter 353QH, twice: of the values, and of what it left over (the residuals), added up.

    Fewer than three values are returned as they are. Unlike ROOT's, the result may be negative.

    >>> smooth_353qh(np.array([1.0, 3.0, 2.0, 5.0])).tolist()
    [1.0, 2.0, 3.25, 5.0]
    """
    if values.size < 3:
        return values
    first = _running_means(_flat_peaks(_medians(values)))
    return np.asarray(first + _running_means(_flat_peaks(_medians(values - first))))


def _median3(values: np.ndarray) -> np.ndarray:
    """Running median of three; the ends stay."""
    windows = np.lib.stride_tricks.sliding_window_view(values, 3)
    return np.concatenate([values[:1], np.median(windows, axis=1), values[-1:]])


def _medians(values: np.ndarray) -> np.ndarray:
    """Running medians of 3, 5 and 3. Ends by Tukey's rule: the median of the end, its neighbour, and the line beyond."""
    three = _median3(values)
    three[0] = np.median([values[0], three[1], 3 * three[1] - 2 * three[2]])
    three[-1] = np.median([values[-1], three[-2], 3 * three[-2] - 2 * three[-3]])
    five = _median3(three)
    if values.size > 4:
        five[2:-2] = np.median(np.lib.stride_tricks.sliding_window_view(three, 5), axis=1)
    return _median3(five)


def _flat_peaks(values: np.ndarray) -> np.ndarray:
    """Q: three equal values on a peak or in a valley become a parabola through the points around them."""
    found = values.copy()
    for i in range(2, values.size - 2):
        left, right = values[i - 2] - values[i], values[i + 2] - values[i]
        if values[i - 1] == values[i] == values[i + 1] and left * right > 0:
            step = -1 if abs(right) > abs(left) else 1
            near, far = values[i + 2 * step], values[i - 2 * step]
            found[i] = -0.5 * far + values[i] / 0.75 + near / 6.0
            found[i + step] = 0.5 * (near - far) + values[i]
    return found


def _running_means(values: np.ndarray) -> np.ndarray:
    """H: running means with weights ¼, ½, ¼; the ends stay."""
    means = values.copy()
    means[1:-1] = 0.25 * values[:-2] + 0.5 * values[1:-1] + 0.25 * values[2:]
    return means
