"""Export to a pyhf workspace (HistFactory JSON, ATL-PHYS-PUB-2019-029): the same likelihood for other tools."""

from typing import Any

import numpy as np

from verax.errors import InputError, check_known
from verax.model import BinnedLikelihood, CellModifier, Data, code4, code4p
from verax.parameters import Gaussian, Parameter, Poisson

Json = dict[str, Any]
Cells = tuple[CellModifier, ...]


def to_pyhf(model: BinnedLikelihood, data: Data, *, poi: str, name: str = "measurement") -> Json:
    """Write the model and one data set as a pyhf workspace.

    Normalisation factors become ``normfactor``, and ``lumi`` where it has a constraint; a systematic ``normsys`` and,
    where it has a shape, ``histosys`` of the same name; simulation statistics ``staterror``, one per channel that has
    any, under a name that no parameter has; cell modifiers stay what they were. Global observables go into the
    measurement's parameter settings. A parameter whose bounds have no width is fixed.

    Values of log L are those of ``model``, but for the constant of the constraints of γ that have no width, where a
    channel has both kinds of γ.

    Parameters
    ----------
    model : the likelihood
    data : one data set
    poi : the parameter of interest; "" for none
    name : of the measurement

    Raises
    ------
    InputError : an unknown parameter of interest; data that do not fit the model; what a workspace cannot say: functions
        of parameters, simulation statistics after Combine's convention, interpolations other than codes 4 and 4p, bounds
        without an end, a systematic without a Gaussian constraint of width 1, a factor that has a constraint but is not
        ``lumi``

    >>> from verax.model import example_model
    >>> to_pyhf(*example_model(), poi="mu")["observations"]
    [{'name': 'SR', 'data': [59.0, 53.0]}]
    """
    check_known([poi] if poi else [], model.names, "to_pyhf", "parameter")
    _check(model, data)
    where = {c: np.flatnonzero(model.layout.channel == k) for k, c in enumerate(model.channels)}
    cells = model.modifiers or _simulation(model, where)
    effects = _effects(model)
    channels = []
    for k, (c, bins) in enumerate(where.items()):
        samples = [_sample(model, i, k, bins, effects, cells) for i in range(len(model.processes))]
        present = [s for s in samples if s["modifiers"] or any(s["data"])]
        channels.append({"name": c, "samples": present or samples[:1]})
    counts = np.asarray(data.counts)
    return {
        "version": "1.0.0",
        "channels": channels,
        "observations": [{"name": c, "data": counts[bins].tolist()} for c, bins in where.items()],
        "measurements": [{"name": name, "config": {"poi": poi, "parameters": _settings(model, data, cells)}}],
    }


def _check(model: BinnedLikelihood, data: Data) -> None:
    """Raise for all that a workspace cannot say."""
    if model.combine_convention:
        raise InputError("to_pyhf", "simulation statistics by the convention 'combine'", "'histfactory'")
    if made := (*model.functions, *(f for p in model.penalties for f in p.formulas)):
        raise InputError("to_pyhf", f"'{made[0].name}', a function of parameters", "what a pyhf workspace can say")
    for code, default in ((model.shape_code, code4p), (model.factor_code, code4)):
        if code is not default:
            raise InputError("to_pyhf", f"interpolation '{code.__name__}'", f"'{default.__name__}', as pyhf's default")
    _check_cells(model)
    model.check(data)
    if data.counts.ndim != 1:
        raise InputError("to_pyhf", "a batch of data sets", "one data set", "choose one of them")
    if model.simulation_statistics:
        known, gamma = ~((model.width > 0) | (model.tau > 0)), data.auxiliary[-model.width.size :]
        for b in np.flatnonzero(known & (gamma != 1))[:1]:
            where = f"to_pyhf, channel '{model.channels[model.layout.channel[b]]}', bin {model.layout.slot[b]}"
            raise InputError(where, f"γ known to be {gamma[b]:g}", "1, where the simulation has no error")
    systematics = range(model.n_free, len(model.parameters) - model.n_cells)
    for k, p in enumerate(model.parameters):
        where = f"to_pyhf, parameter '{p.name}'"
        if not np.isfinite(p.bounds).all():
            raise InputError(where, f"bounds {list(p.bounds)}", "bounds with two ends", "give them to the likelihood")
        if k < model.n_free and p.constraint is not None and p.name != "lumi":
            raise InputError(where, "a normalisation factor with a constraint", "the name 'lumi'")
        if k in systematics and p.constraint != Gaussian():
            raise InputError(where, f"constraint {p.constraint}", "a Gaussian of width 1, as normsys and histosys have")


OF_KIND = {"staterror": Gaussian, "shapesys": Poisson}
"""The constraint of γ that each kind of modifier means."""


def _check_cells(model: BinnedLikelihood) -> None:
    """Raise for γ with another constraint than a workspace's modifiers have, as HS3 may say."""
    profiled = {"staterror": np.asarray(model.tau) > 0, "shapesys": np.asarray(model.width) > 0}
    for name, family in _families(model.modifiers).items():
        kind, (bins, members) = family[0].kind, _members(model, family)
        if kind not in OF_KIND:
            continue
        other = [p for p in members if not isinstance(p.constraint, OF_KIND[kind])]
        if other or (not members and profiled[kind][bins].any()):
            seen = f"constraint {other[0].constraint} of '{other[0].name}'" if other else "another constraint"
            raise InputError(f"to_pyhf, modifier '{name}' ({kind})", seen, f"{OF_KIND[kind].__name__}, as pyhf has it")


def _families(cells: Cells) -> dict[str, list[CellModifier]]:
    """Cell modifiers by name: those of one have their parameters in common."""
    families: dict[str, list[CellModifier]] = {}
    for m in cells:
        families.setdefault(m.name, []).append(m)
    return families


def _members(model: BinnedLikelihood, family: list[CellModifier]) -> tuple[np.ndarray, list[Parameter]]:
    """Bins that a family acts on, channels in pyhf's (alphabetical) order, and its explicit parameters."""
    channels = sorted({m.channel for m in family}, key=lambda c: model.channels[c])
    bins = np.concatenate([np.flatnonzero(model.layout.channel == c) for c in channels])
    if (first := family[0].first) < 0:
        return bins, []
    longest = max(int(np.sum(model.layout.channel == c)) for c in channels)
    size = longest if family[0].kind == "shapefactor" else len(bins)
    start = len(model.parameters) - model.n_cells + first
    return bins, list(model.parameters[start : start + size])


def _simulation(model: BinnedLikelihood, where: dict[str, np.ndarray]) -> Cells:
    """One ``staterror`` of all processes for each channel whose simulation has errors."""
    if not model.simulation_statistics:
        return ()
    error, width = np.sqrt(np.asarray(model.variance)), np.asarray(model.width)
    names: dict[str, str] = {}
    for c in where:
        name = f"staterror_{c}".replace("/", "_")  # pyhf takes names of staterror apart at "/"
        while name in {*model.names, *names.values()}:
            name += "_"
        names[c] = name
    return tuple(
        CellModifier("staterror", names[c], k, i, tuple(error[i, bins].tolist()), -1)
        for k, (c, bins) in enumerate(where.items())
        for i in range(len(model.processes))
        if (width[bins] > 0).any()
    )


def _effects(model: BinnedLikelihood) -> np.ndarray:
    """Which systematic acts on which process in which channel; one without any effect is noted at the first of all.

    A systematic that does nothing still has a constraint term.
    """
    in_channel = np.eye(len(model.channels))[model.layout.channel]
    shape = (np.abs(model.odd) + np.abs(model.even)) @ in_channel > 0
    effects = np.asarray(shape | (np.asarray(model.log_up) != 0) | (np.asarray(model.log_down) != 0))
    effects[~effects.any((1, 2)), 0, 0] = True
    return effects


def _sample(
    model: BinnedLikelihood, process: int, channel: int, bins: np.ndarray, effects: np.ndarray, cells: Cells
) -> Json:
    nominal = np.asarray(model.nominal)[process, bins]
    modifiers: list[Json] = []
    for p, normfactor_mask in zip(
        model.parameters, np.asarray(model.normfactor_mask)[:, process, channel], strict=False
    ):
        if normfactor_mask:
            kind = "normfactor" if p.constraint is None else "lumi"
            modifiers.append({"name": p.name, "type": kind, "data": None})
    for k, p in enumerate(model.parameters[model.n_free : model.n_free + len(effects)]):
        low, high = np.exp([model.log_down[k, process, channel], model.log_up[k, process, channel]])
        odd, even = np.asarray(model.odd)[k, process, bins], np.asarray(model.even)[k, process, bins]
        has_shape = odd.any() or even.any()
        if low != 1 or high != 1 or (effects[k, process, channel] and not has_shape):
            modifiers.append({"name": p.name, "type": "normsys", "data": {"lo": float(low), "hi": float(high)}})
        if has_shape:
            shape = {"lo_data": (nominal + even - odd).tolist(), "hi_data": (nominal + even + odd).tolist()}
            modifiers.append({"name": p.name, "type": "histosys", "data": shape})
    here = [m for m in cells if (m.process, m.channel) == (process, channel)]
    modifiers += [{"name": m.name, "type": m.kind, "data": list(m.data) or None} for m in here]
    return {"name": model.processes[process], "data": nominal.tolist(), "modifiers": modifiers}


def _settings(model: BinnedLikelihood, data: Data, cells: Cells) -> list[Json]:
    """The measurement's parameter settings: initial values, bounds, global observables and widths."""
    auxiliary = iter(np.asarray(data.auxiliary).tolist())
    observed = {p.name: next(auxiliary) for p in model.parameters if p.constraint is not None}
    gamma = np.array(list(auxiliary))
    first_cell = len(model.parameters) - model.n_cells
    widths = [k < model.n_free for k in range(first_cell)]  # those of normsys and histosys are 1 by definition
    settings = [_setting(p.name, [p], observed, w) for p, w in zip(model.parameters, widths, strict=False)]
    for name, family in _families(cells).items():
        bins, members = _members(model, family)
        if members:
            settings.append(_setting(name, members, observed, True))
            if not any(p.fixed for p in members):
                settings[-1]["fixed"] = False  # pyhf holds γ of a negative rate unless told
        else:
            tau, width = np.asarray(model.tau)[bins], np.asarray(model.width)[bins]
            setting: Json = {"name": name, "auxdata": gamma[bins].tolist()}
            if family[0].kind == "shapesys":
                setting["factors"] = np.where(tau > 0, tau, 1.0).tolist()
            else:
                setting["sigmas"] = np.where(width > 0, width, 1.0).tolist()
            settings.append(setting)
    return settings


def _setting(name: str, members: list[Parameter], observed: dict[str, float], with_widths: bool) -> Json:
    """The settings of one parameter set: one entry per member; the widths of its constraints where they can be set."""
    setting: Json = {"name": name, "inits": [p.init for p in members], "bounds": [list(p.bounds) for p in members]}
    if all(p.bounds[0] == p.bounds[1] for p in members):
        setting["fixed"] = True
    constraints = [p.constraint for p in members]
    if constraints[0] is not None:
        setting["auxdata"] = [observed[p.name] for p in members]
    widths = [c.width for c in constraints if isinstance(c, Gaussian)]
    if widths and with_widths:
        setting["sigmas"] = widths
    factors = [c.tau for c in constraints if isinstance(c, Poisson)]
    if factors:
        setting["factors"] = factors
    return setting
