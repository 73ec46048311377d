"""The likelihood of templates: variations split into factors and shapes, inputs checked (CERN-OPEN-2012-016)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from verax.arrays import namespace
from verax.errors import InputError, check_known
from verax.parameters import Gaussian, Parameter, Poisson
from verax.templates import Layout, Templates, normalisation_part, shape_part

from ._binned import BinnedLikelihood
from ._conventions import FLOATING, is_combine
from ._formula import formula
from ._interpolate import code4_coefficients

Members = Mapping[str, Sequence[str]]


def binned_likelihood(
    templates: Templates,
    *,
    free: Members,
    where: Members | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    initial: Mapping[str, float] | None = None,
    priors: Mapping[str, tuple[str, Gaussian | Poisson]] | None = None,
    simulation_statistics: bool = True,
    convention: str = "histfactory",
    functions: Members | None = None,
    empty: bool = False,
) -> BinnedLikelihood:
    """Build the likelihood of templates.

    Parameters
    ----------
    templates : expected events and their variations; traced leaves are passed through unchecked
    free : normalisation factor (initial value 1) -> processes that it multiplies; the first one is taken for the parameter
        of interest, the others form the group "floating normalisations"
    where : normalisation factor -> channels in which it does; by default all
    bounds : of any parameter, by name; by default ±50 for normalisation factors (a signal strength may be negative)
        and ±5 prior widths for nuisance parameters
    initial : of normalisation factors, by name; by default 1
    priors : normalisation factor -> its group, and its constraint around the initial value
    simulation_statistics : one γ per bin, shared by the processes, of width √ΣΣw² / Σnominal, at the initial values
    convention : "histfactory": the width stays; "combine": it follows the normalisations of the processes (CMS Combine's
        autoMCStats), √Σ(factor² Σw²) / Σ rates, at the price of slower derivatives
    functions : expression of parameters, as "c**2" -> processes that it multiplies in all channels; a parameter that acts in
        expressions alone is one of ``free`` with no process
    empty : allow bins without expected events, which have no γ: for what is shown, and cannot be fitted

    Raises
    ------
    InputError : unknown process or parameter, an expression that is not understood, a name used twice, not finite or
        negative templates' inputs, a bin without expected events

    >>> from verax.model import example_templates
    >>> model = binned_likelihood(example_templates(), free={"mu": ("signal",)})
    >>> model.expected({"mu": 2.0}).tolist()
    [60.0, 70.0]
    """
    bounds, where, initial, priors = bounds or {}, where or {}, initial or {}, priors or {}
    factors = tuple(
        Parameter(
            name,
            group,
            initial.get(name, 1.0),
            bounds.get(name, (0.0, 50.0) if constraint else (-50.0, 50.0)),
            constraint,
        )
        for i, name in enumerate(free)
        for group, constraint in [priors.get(name, (FLOATING if i else "", None))]
    )
    systematics = tuple(replace(p, bounds=bounds.get(p.name, p.bounds)) for p in templates.systematics)
    parameters = factors + systematics
    functions = functions or {}
    _check(templates, free, functions, where, bounds, parameters)
    check_known((*initial, *priors), free, "initial, priors", "normalisation factor")

    given = (templates.nominal, templates.variance, templates.up, templates.down)
    xp = namespace(*given)
    nominal, variance, up, down = (np.asarray(x, np.float64) if xp is np else x for x in given)
    channel = Layout(tuple(len(e) - 1 for e in templates.edges)).channel
    log_up, log_down = normalisation_part(nominal, up, down, channel)
    odd, even = shape_part(nominal, up / xp.exp(log_up)[..., channel], down / xp.exp(log_down)[..., channel])
    rates = tuple(formula(text, text) for text in functions)
    cells = [(processes, where.get(name, templates.channels)) for name, processes in free.items()]
    cells += [(processes, templates.channels) for processes in functions.values()]
    acts = np.zeros((len(cells), len(templates.processes), len(templates.channels)))
    for i, (processes, channels) in enumerate(cells):
        acts[i] = np.isin(templates.processes, processes)[:, None] & np.isin(templates.channels, channels)
    for rate in rates:
        check_known(rate.parameters, [p.name for p in parameters], f"function '{rate.name}'", "parameter")
    starts = {p.name: np.float64(p.init) for p in parameters}
    factor = np.array([*(starts[name] for name in free), *(float(rate(starts)) for rate in rates)])
    scale = np.prod(np.where(acts > 0, factor[:, None, None], 1.0), axis=0)[:, channel]
    total, spread = (nominal * scale).sum(0), (variance * scale**2).sum(0)
    if isinstance(total, np.ndarray) and not empty:
        _check_total(templates, total)
    relative = xp.where(total > 0, xp.sqrt(xp.maximum(spread, 0.0)) / xp.where(total > 0, total, 1.0), 0.0)
    return BinnedLikelihood(
        parameters=parameters,
        channels=templates.channels,
        edges=templates.edges,
        processes=templates.processes,
        simulation_statistics=simulation_statistics,
        nominal=nominal,
        variance=variance,
        odd=odd,
        even=even,
        log_up=log_up,
        log_down=log_down,
        coefficients=code4_coefficients(log_up, log_down),
        normfactor_mask=acts,
        cell_parameter_index=np.zeros((0, *nominal.shape), int),
        gamma_mask=np.ones(nominal.shape),
        width=relative if simulation_statistics else xp.zeros_like(total),
        tau=np.zeros(total.shape),
        floor=1e-7 * abs(total) + 1e-12,
        offset=np.zeros(()),
        combine_convention=is_combine(convention),
        functions=rates,
    )


def _check(
    templates: Templates,
    free: Members,
    functions: Members,
    where: Members,
    bounds: Mapping[str, tuple[float, float]],
    parameters: tuple[Parameter, ...],
) -> None:
    names = [p.name for p in parameters]
    check_known(bounds, names, "bounds", "parameter")
    for name, processes in (*free.items(), *functions.items()):
        check_known(processes, templates.processes, f"normalisation factor '{name}'", "process")
    check_known(where, free, "where", "normalisation factor")
    for name, channels in where.items():
        check_known(channels, templates.channels, f"normalisation factor '{name}'", "channel")
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                "parameters", f"'{name}' twice", "one name per parameter", "rename a factor or a systematic"
            )
    shapes = {"nominal": templates.nominal, "variance": templates.variance, "up": templates.up, "down": templates.down}
    for what, cells in shapes.items():
        if isinstance(cells, np.ndarray) and not np.isfinite(cells).all():
            raise InputError(f"templates, {what}", "NaN or infinite events", "finite numbers in every bin")
    if isinstance(templates.variance, np.ndarray) and (templates.variance < 0).any():
        raise InputError("templates, variance", f"{templates.variance.min()}", "Σw², which is not negative")


def _check_total(templates: Templates, total: np.ndarray) -> None:
    for channel, bins in templates.slices().items():
        for i in np.flatnonzero(~(total[bins] > 0)):
            seen = f"{total[bins][i]:g} expected events"
            raise InputError(f"channel '{channel}', bin {i}", seen, "more than 0", "merge it with its neighbour")
