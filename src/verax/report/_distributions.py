"""Figures of histograms: the distribution that is fitted, and its systematic variations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from verax.arrays import Float
from verax.errors import check_known
from verax.results import FloatArray

from ._histograms import columns_of, label_bins, limits, poisson_interval, positions, round_scale, shade
from ._style import BRIEF, COLOURS, DOWN, PLAIN, SIGNAL, UP, Style, drawing, heading, main_and_ratio

if TYPE_CHECKING:
    import verax.templates


@drawing()
def score_distribution(
    templates: "verax.templates.Templates",
    channel: str,
    *,
    expected: Float[np.ndarray, "process bin"] | None = None,
    error: Float[np.ndarray, " bin"] | None = None,
    data: Float[np.ndarray, " bin"] | None = None,
    signal: Sequence[str] = (),
    signal_scale: float | None = None,
    stage: str = "Pre-fit",
    error_label: str = "Uncertainty",
    data_label: str = "Data",
    xlabel: str = "Network score",
    logy: bool | None = None,
    masked: Sequence[int] = (),
    style: Style = PLAIN,
) -> Figure:
    """Draw stacked processes, the data, and their ratio, in one channel.

    Where a process has fewer than 0 events it is no part of the stack: a hatched block hangs from the top, down to the sum.

    Parameters
    ----------
    templates : edges, channels and processes; arrays over bins hold all channels one after another, as it does
    expected : events to stack, per process; the nominal templates unless given (post-fit: ``expected_by_process``)
    error : total uncertainty of the sum per bin; the simulation's statistical one unless given
    data : observed counts (or Asimov), with central 68.3 % Poisson intervals; NaN is a blind bin, and without data the ratio
        shows the band
    signal : processes on top of the stack, in red, repeated as a scaled line
    signal_scale : of that line; unless given 1 on a logarithmic axis, else 1, 2, 5, 10, 20 … by the height of the stack;
        0 draws none
    logy : logarithmic axis; unless given, where the sum spans more than a factor 50
    masked : bins that were left out, hatched gaps, by their numbers among all bins; edges are then these numbers

    Raises
    ------
    InputError : for an unknown channel or signal process
    """
    check_known([channel], templates.channels, "score distribution", "channel")
    check_known(signal, templates.processes, "score distribution", "process")
    cells = templates.slices()[channel]
    stack = np.asarray(templates.nominal if expected is None else expected, np.float64)[:, cells]
    if error is None:
        error = np.sqrt(np.asarray(templates.variance, np.float64).sum(axis=0))
        error_label = "Simulation stat. uncertainty" if error_label == "Uncertainty" else error_label
    gaps = np.array(sorted(masked), int)
    before = gaps - np.arange(len(gaps))
    stack, band = np.insert(stack, before, 0.0, axis=1), np.insert(np.asarray(error)[cells], before, 0.0)
    total = stack.sum(axis=0)
    bins = templates.edges[templates.channels.index(channel)]
    bins = tuple(np.arange(len(total) + 1.0).tolist()) if len(gaps) else bins
    edges, used = positions(bins), ~np.isin(np.arange(len(total)), gaps)
    centres, halves = ((edges[1:] + edges[:-1]) / 2)[used], np.diff(edges)[used] / 2

    figure, main, lower = main_and_ratio(6.6, 6.2)
    names = list(templates.processes)
    order = sorted(range(len(names)), key=lambda i: (names[i] in signal, stack[i].sum()))
    shades = iter(COLOURS * (1 + len(names) // len(COLOURS)))
    colour = {i: SIGNAL if names[i] in signal else next(shades) for i in reversed(order)}
    base = np.zeros_like(total)
    handles: list[Any] = []
    above, below = np.maximum(stack, 0.0), np.minimum(stack, 0.0)
    for i in (i for i in order if above[i].any() or not below[i].any()):
        filled: dict[str, Any] = {"fill": True, "fc": colour[i], "ec": "black", "lw": 0.5}
        handles.append(main.stairs(base + above[i], edges, baseline=base, label=style.name(names[i], BRIEF), **filled))
        base = base + above[i]
    top = base
    for i in (i for i in order if below[i].any()):
        hatched: dict[str, Any] = {"fill": True, "fc": "none", "ec": colour[i], "hatch": "////", "lw": 0.8}
        label = f"{style.name(names[i], BRIEF - 7)}, below 0"
        handles.append(main.stairs(base + below[i], edges, baseline=base, label=label, **hatched))
        base = base + below[i]
    main.stairs(total, edges, color="black", lw=1.0)
    handles = [*reversed(handles), shade(main, edges, total - band, total + band, label=error_label)]

    visible = total[total > 0]
    logarithmic = bool(visible.size and visible.max() > 50 * visible.min()) if logy is None else logy
    wanted = stack[[n in signal for n in names]].sum(axis=0)
    tops, floors = [total + band, top], [visible]
    scale = signal_scale
    if scale is None:
        scale = 1.0 if logarithmic else round_scale(total.max() / max(wanted.max(initial=0.0), 1e-300))
    if signal and wanted.max() > 0 and scale > 0:
        text = " + ".join(style.names_of(signal)) + (f" × {scale:g}" if scale != 1 else " alone")
        dashed: dict[str, Any] = {"color": SIGNAL, "lw": 1.8, "ls": (0, (5, 2)), "baseline": None}
        handles.append(main.stairs(wanted * scale, edges, label=text, **dashed))
        tops.append(wanted * scale)
        floors.append((wanted * scale)[wanted > 0])

    blinded = gaps[:0]
    if data is not None:
        counts = np.asarray(data, np.float64)[cells]
        unseen = np.isnan(counts)
        blinded = np.flatnonzero(used)[unseen]
        low, high = (np.where(unseen, np.nan, end) for end in poisson_interval(np.where(unseen, 0.0, counts)))
        bars = np.stack([counts - low, high - counts])
        points: dict[str, Any] = {"fmt": "o", "color": "black", "ms": 4.5, "lw": 1.2, "capsize": 0}
        handles.insert(0, main.errorbar(centres, counts, bars, label=data_label, **points))
        tops.append(high[~unseen])
        with np.errstate(divide="ignore", invalid="ignore"):
            known = np.where(total > 0, total, np.nan)[used]
            shown = counts / known
            lower.errorbar(centres, shown, bars / known, halves, **points)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(total > 0, band / total, np.nan)
    shade(lower, edges, 1 - relative, 1 + relative)
    lower.axhline(1.0, color="black", lw=0.9, ls="--")

    spans = {}
    for axes in (main, lower):
        for label, hatch, some in (("Left out", "xx", gaps), ("Blinded", "...", blinded)):
            for b in some:
                look: dict[str, Any] = {
                    "fc": "none",
                    "ec": "0.7",
                    "hatch": hatch,
                    "lw": 0.5,
                    "zorder": 0,
                    "label": label,
                }
                spans[label] = axes.axvspan(edges[b], edges[b + 1], **look)
    handles += spans.values()
    columns = columns_of([str(handle.get_label()) for handle in handles])
    limits(main, np.concatenate(tops), np.concatenate(floors), logarithmic, rows=-(-len(handles) // columns))
    main.set_ylabel("Events / bin")
    box: dict[str, Any] = {"frameon": True, "facecolor": "white", "edgecolor": "none"} if spans else {}
    main.legend(handles=handles, ncols=columns, loc="upper right", title=stage, alignment="left", **box)
    half = np.nanmax(relative if data is None else np.abs(shown - 1) + 0.6 * relative[used], initial=0.0)
    span = min(max(1.25 * float(half), 0.08), 0.95)
    lower.set_ylim(1 - span, 1 + span)
    upper = "Unc." if data is None else data_label if len(data_label) <= 10 else "Data"
    lower.set_ylabel(f"{upper} / pred.", loc="center")
    label_bins(lower, bins, edges, xlabel)
    heading(main, style, channel=style.name(channel, BRIEF) if len(templates.channels) > 1 else "")
    figure.align_ylabels([main, lower])
    return figure


@drawing()
def template_variation(
    templates: "verax.templates.Templates",
    systematic: str,
    channel: str,
    *,
    processes: Sequence[str] = (),
    xlabel: str = "Network score",
    logy: bool | None = None,
    style: Style = PLAIN,
) -> Figure:
    """Draw the template of some processes with its simulation error, and its variation at θ = ±1, in one channel.

    The error is the one of the nominal template alone: variations of the same events move with it, and are more precise
    than it suggests.

    Parameters
    ----------
    processes : summed; all of them unless given

    Raises
    ------
    InputError : for an unknown systematic, channel or process
    """
    known = [p.name for p in templates.systematics]
    check_known([systematic], known, "template variation", "systematic")
    check_known([channel], templates.channels, "template variation", "channel")
    check_known(processes, templates.processes, "template variation", "process")
    chosen = [i for i, name in enumerate(templates.processes) if not processes or name in processes]
    cells, k = templates.slices()[channel], known.index(systematic)

    def total(cube: FloatArray) -> FloatArray:
        return np.asarray(np.asarray(cube, np.float64)[chosen][:, cells].sum(axis=0))

    nominal, error = total(np.asarray(templates.nominal)), np.sqrt(total(np.asarray(templates.variance)))
    up, down = total(np.asarray(templates.up)[k]), total(np.asarray(templates.down)[k])
    original = templates.edges[templates.channels.index(channel)]
    edges = positions(original)

    figure, main, lower = main_and_ratio(6.6, 5.8, ratio=0.6)
    sides = ((up, UP, "-", r"$\theta = +1$"), (down, DOWN, (0, (5, 2)), r"$\theta = -1$"))
    lines = [main.stairs(nominal, edges, color="black", lw=1.4, label="Nominal")]
    lines.append(shade(main, edges, nominal - error, nominal + error, label="Simulation stat. uncertainty"))
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = 100 * np.where(nominal > 0, error / nominal, np.nan)
        shade(lower, edges, -relative, relative)
        span = 0.0
        for values, colour, dash, text in sides:
            lines.append(main.stairs(values, edges, color=colour, lw=1.6, ls=dash, label=text, baseline=None))
            change = 100 * np.where(nominal > 0, values / nominal - 1, np.nan)
            lower.stairs(change, edges, color=colour, lw=1.6, ls=dash, baseline=None)
            span = max(span, float(np.nanmax(np.abs(change), initial=0.0)))
    lower.axhline(0.0, color="black", lw=0.9)
    visible = nominal[nominal > 0]
    logarithmic = bool(visible.size and visible.max() > 50 * visible.min()) if logy is None else logy
    limits(main, np.max([nominal + error, up, down], axis=0), visible, logarithmic, rows=3)
    summed = "all processes" if len(chosen) == len(templates.processes) else " + ".join(style.names_of(processes))
    main.legend(
        handles=lines, loc="upper right", ncols=2, title=f"{style.name(systematic)}, {summed}", alignment="left"
    )
    main.set_ylabel("Events / bin")
    lower.set_ylabel("Change [%]", loc="center")
    span = min(max(1.3 * span, 1.2 * float(np.nanmedian(relative)) if np.isfinite(relative).any() else 0.0, 0.5), 120.0)
    lower.set_ylim(-span, span)
    label_bins(lower, original, edges, xlabel)
    heading(main, style, channel=style.name(channel, BRIEF) if len(templates.channels) > 1 else "")
    figure.align_ylabels([main, lower])
    return figure
