"""Export to a pyhf workspace (HistFactory JSON, https://scikit-hep.org/pyhf): the same likelihood for everyone else."""

from typing import Any

import numpy as np

from verax.errors import check_known
from verax.model.binned import BinnedLikelihood
from verax.model.likelihood import Data

Json = dict[str, Any]


def to_pyhf(model: BinnedLikelihood, data: Data, *, poi: str, name: str = "measurement") -> Json:
    """The model and one data set as a pyhf workspace.

    Normalisation factors become ``normfactor``; a systematic ``normsys`` and, where it has a shape, ``histosys`` of the
    same name; simulation statistics ``staterror``, one per channel. pyhf's default interpolation codes (4 and 4p) apply.
    Global observables of the nuisances go into the measurement's parameter settings. pyhf offers no place for those of
    ``staterror``, which it takes to be 1; the exported likelihood equals this one where they are.

    Raises
    ------
    InputError : an unknown parameter of interest
    """
    check_known([poi], model.names, "to_pyhf", "parameter")
    where = {c: np.flatnonzero(model.layout.channel == k) for k, c in enumerate(model.channels)}
    channels = [
        {"name": c, "samples": [_sample(model, i, k, c, bins) for i in range(len(model.processes))]}
        for k, (c, bins) in enumerate(where.items())
    ]
    counts, auxiliary = np.asarray(data.counts), np.asarray(data.auxiliary)
    observed = iter(auxiliary.tolist())
    settings = []
    for p in model.parameters:
        setting: Json = {"name": p.name, "inits": [p.init], "bounds": [list(p.bounds)]}
        if p.constraint is not None:
            setting["auxdata"] = [next(observed)]
        settings.append(setting)
    return {
        "version": "1.0.0",
        "channels": channels,
        "observations": [{"name": c, "data": counts[bins].tolist()} for c, bins in where.items()],
        "measurements": [{"name": name, "config": {"poi": poi, "parameters": settings}}],
    }


def _sample(model: BinnedLikelihood, process: int, channel: int, channel_name: str, bins: np.ndarray) -> Json:
    nominal = np.asarray(model.nominal)[process, bins]
    modifiers: list[Json] = []
    for p, member in zip(model.parameters, np.asarray(model.member)[:, process], strict=False):
        if member:
            modifiers.append({"name": p.name, "type": "normfactor", "data": None})
    for k, p in enumerate(model.parameters[model.n_free :]):
        low, high = np.exp([model.log_down[k, process, channel], model.log_up[k, process, channel]])
        odd, even = np.asarray(model.odd)[k, process, bins], np.asarray(model.even)[k, process, bins]
        if low != 1 or high != 1:
            modifiers.append({"name": p.name, "type": "normsys", "data": {"lo": float(low), "hi": float(high)}})
        if odd.any() or even.any():
            shape = {"lo_data": (nominal + even - odd).tolist(), "hi_data": (nominal + even + odd).tolist()}
            modifiers.append({"name": p.name, "type": "histosys", "data": shape})
    if model.simulation_statistics:
        error = np.sqrt(np.asarray(model.variance)[process, bins])
        modifiers.append({"name": f"staterror_{channel_name}", "type": "staterror", "data": error.tolist()})
    return {"name": model.processes[process], "data": nominal.tolist(), "modifiers": modifiers}
