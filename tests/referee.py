"""pyhf as referee: its view of a workspace, and whether it is the same likelihood."""

import jax
import numpy as np
import pyhf

from verax.model import code0, code1, code2, code4, code4p
from verax.workspace import from_pyhf

CODES = {"code0": code0, "code1": code1, "code2": code2, "code4": code4, "code4p": code4p}


class Referee:
    """pyhf's view of a workspace; γ that we profile are handed over as we found them."""

    def __init__(self, spec, *, normsys="code4", histosys="code4p", measurement=None, poi=None):
        options = {"normsys": {"interpcode": normsys}, "histosys": {"interpcode": histosys}}
        self.workspace = pyhf.Workspace(spec)
        name = {} if poi is None else {"poi_name": poi}
        self.model = self.workspace.model(measurement_name=measurement, modifier_settings=options, **name)
        self.data = np.asarray(self.workspace.data(self.model))
        self.names = self.model.config.par_names

    def vector(self, ours, params, gamma):
        """Parameters in pyhf's order: ours by name, γ from the profile, else the initial value (fixed bins)."""
        pars = dict(zip(self.names, self.model.config.suggested_init(), strict=True))
        pars.update({name: value for name, value in params.items() if name in pars})
        fixed = dict(zip(self.names, self.model.config.suggested_fixed(), strict=True))
        for m in ours.modifiers:
            if m.first >= 0:
                continue
            family = [x.channel for x in ours.modifiers if x.name == m.name]
            channels = sorted(set(family), key=lambda c: ours.channels[c])
            bins = np.concatenate([np.flatnonzero(ours.layout.channel == c) for c in channels])
            for j, b in enumerate(bins):
                if not fixed[f"{m.name}[{j}]"]:
                    pars[f"{m.name}[{j}]"] = gamma[b]
        return np.array([pars[n] for n in self.names])

    def log_prob(self, ours, params, gamma):
        return float(self.model.logpdf(self.vector(ours, params, gamma), self.data)[0])


def random_params(model, rng, *, reach=1.5):
    """A value for each parameter that may move, within its bounds."""
    params = {}
    for p in model.parameters:
        low, high = p.bounds
        if p.constraint is None or p.init != 0:
            low, high = max(low, 0.3 * p.init), min(high, 2.0 * p.init + 0.2)
        else:
            low, high = max(low, -reach), min(high, reach)
        params[p.name] = p.init if p.bounds[0] == p.bounds[1] else float(rng.uniform(low, high))
    return params


@jax.jit
def _values(model, data, theta):
    def one(vector):
        params = dict(zip(model.names, vector, strict=True))
        return model.log_density(vector, data), model.profiled(params, data)

    return jax.vmap(one)(theta)


def values(model, data, points):
    """Log L and γ̂ at some points, in one compiled pass."""
    with jax.enable_x64(True):
        theta = np.array([[params[name] for name in model.names] for params in points])
        return tuple(np.asarray(x) for x in _values(model, data, theta))


def rounding(data):
    """What log L may round at: its terms n log n, some ulp of which each program loses in its own order of summing."""
    counts = np.maximum(np.asarray(data.counts), 1.0)
    return 4 * np.finfo(float).eps * float(np.sum(counts * np.log(counts)))


def compare(spec, *, points=5, normsys="code4", histosys="code4p", reach=1.5, **which):
    model, data, _ = from_pyhf(spec, normsys=CODES[normsys], histosys=CODES[histosys], **which)
    referee = Referee(spec, normsys=normsys, histosys=histosys, **which)
    rng = np.random.default_rng(5)
    points = [random_params(model, rng, reach=reach) for _ in range(points)]
    ours, gammas = values(model, data, points)
    theirs = [referee.log_prob(model, params, gamma) for params, gamma in zip(points, gammas, strict=True)]
    assert np.isfinite(theirs).all()
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=rounding(data))
    free = {p.name for p in model.parameters}
    profiled = {m.name for m in model.modifiers if m.first < 0}
    assert {n for n in referee.names if n.split("[")[0] not in profiled} == free
    return model, data, referee
