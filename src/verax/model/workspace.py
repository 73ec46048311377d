"""Export to a pyhf workspace (HistFactory JSON, https://scikit-hep.org/pyhf): the same likelihood for everyone else."""

from typing import Any

import numpy as np

from verax.errors import InputError, check_known
from verax.model.binned import BinnedLikelihood
from verax.model.binwise import CellModifier
from verax.model.likelihood import Data
from verax.parameters import Gaussian, Parameter, Poisson

Json = dict[str, Any]


def to_pyhf(model: BinnedLikelihood, data: Data, *, poi: str, name: str = "measurement") -> Json:
    """The model and one data set as a pyhf workspace.

    Normalisation factors become ``normfactor``, and ``lumi`` where it has a constraint; a systematic ``normsys`` and,
    where it has a shape, ``histosys`` of the same name; simulation statistics ``staterror``, one per channel; cell
    modifiers stay what they were. pyhf's default interpolation codes (4 and 4p) apply: a workspace cannot say others.
    Global observables go into the measurement's parameter settings. A parameter whose bounds have no width is fixed.

    Raises
    ------
    InputError : an unknown parameter of interest; simulation statistics after Combine's convention, which a workspace
        cannot say
    """
    if model.scaled:
        raise InputError("to_pyhf", "simulation statistics by the convention 'combine'", "'histfactory'")
    check_known([poi] if poi else [], model.names, "to_pyhf", "parameter")
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


def _simulation(model: BinnedLikelihood, where: dict[str, np.ndarray]) -> tuple[CellModifier, ...]:
    """One ``staterror`` per channel, of all processes."""
    if not model.simulation_statistics:
        return ()
    error = np.sqrt(np.asarray(model.variance))
    return tuple(
        CellModifier("staterror", f"staterror_{c}", k, i, tuple(error[i, bins].tolist()), -1)
        for k, (c, bins) in enumerate(where.items())
        for i in range(len(model.processes))
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
    model: BinnedLikelihood,
    process: int,
    channel: int,
    bins: np.ndarray,
    effects: np.ndarray,
    cells: tuple[CellModifier, ...],
) -> Json:
    nominal = np.asarray(model.nominal)[process, bins]
    modifiers: list[Json] = []
    for p, member in zip(model.parameters, np.asarray(model.member)[:, process, channel], strict=False):
        if member:
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


def _settings(model: BinnedLikelihood, data: Data, cells: tuple[CellModifier, ...]) -> list[Json]:
    """The measurement's parameter settings: initial values, bounds, global observables and widths."""
    auxiliary = iter(np.asarray(data.auxiliary).tolist())
    observed = {p.name: next(auxiliary) for p in model.parameters if p.constraint is not None}
    gamma = np.array(list(auxiliary))
    first_cell = len(model.parameters) - model.n_cells
    settings = [_setting(p.name, [p], observed) for p in model.parameters[:first_cell]]
    families: dict[str, list[CellModifier]] = {}
    for m in cells:
        families.setdefault(m.name, []).append(m)
    for name, family in families.items():
        channels = sorted({m.channel for m in family}, key=lambda c: model.channels[c])
        bins = np.concatenate([np.flatnonzero(model.layout.channel == c) for c in channels])
        if (first := family[0].first) >= 0:
            longest = max(int(np.sum(model.layout.channel == c)) for c in channels)
            size = longest if family[0].kind == "shapefactor" else len(bins)
            members = model.parameters[first_cell + first : first_cell + first + size]
            settings.append(_setting(name, list(members), observed))
        else:
            tau, width = np.asarray(model.tau)[bins], np.asarray(model.width)[bins]
            setting: Json = {"name": name, "auxdata": gamma[bins].tolist()}
            if family[0].kind == "shapesys":
                setting["factors"] = np.where(tau > 0, tau, 1.0).tolist()
            else:
                setting["sigmas"] = np.where(width > 0, width, 1.0).tolist()
            settings.append(setting)
    return settings


def _setting(name: str, members: list[Parameter], observed: dict[str, float]) -> Json:
    """The settings of one parameter set: one entry per member."""
    setting: Json = {"name": name, "inits": [p.init for p in members], "bounds": [list(p.bounds) for p in members]}
    if all(p.bounds[0] == p.bounds[1] for p in members):
        setting["fixed"] = True
    constraints = [p.constraint for p in members]
    if constraints[0] is not None:
        setting["auxdata"] = [observed[p.name] for p in members]
    widths = [c.width for c in constraints if isinstance(c, Gaussian)]
    if widths and (name != members[0].name or name == "lumi"):  # pyhf: a systematic's width is 1 by definition
        setting["sigmas"] = widths
    factors = [c.tau for c in constraints if isinstance(c, Poisson)]
    if factors:
        setting["factors"] = factors
    return setting
