"""Small workspaces of which an audit must find something, known beforehand."""

import math

from verax.audit._subject import Subject
from verax.infer import fit
from verax.workspace import from_pyhf
from workspaces import MU, sample, workspace


def subject(channels, observed=None, *, expected=False, **more):
    """What is audited: a workspace of these channels, with counts by channel, or its expected data."""
    model, data, poi = from_pyhf(workspace(channels, observations=observed, **more))
    if expected:
        data = model.asimov({p.name: p.init for p in model.parameters})
    return Subject(model, data, poi, fit(model, data))


def shape(name, up, down):
    return (name, "histosys", {"hi_data": list(up), "lo_data": list(down)})


def norm(name, up, down=None):
    return (name, "normsys", {"hi": 1 + up, "lo": 1 - up if down is None else 1 + down})


def control(*modifiers, events=100.0, name="bkg"):
    """A signal region with a known background, and a control region with one bin and these modifiers."""
    return {
        "SR": [sample("sig", [20.0], MU), sample("bkg", [50.0])],
        "CR": [sample(name, [events], *modifiers)],
    }


def pulled(rise, observed, events=100.0):
    """One systematic that moves the control region by ``rise`` events: straight, and the same on both sides."""
    channels = control(shape("jes", [events + rise], [events - rise]), events=events)
    return subject(channels, {"SR": [70], "CR": [observed]})


def valley(rise, observed, background=100.0):
    """Distance from 0 of the minimum where a side of θ raises a bin by ``rise`` |θ|, beyond 1, and −log L there.

    −log L = ν − n ln ν + θ²/2 with ν = b + A|θ| (code 4p beyond θ = 1): A θ² + (b + A²)|θ| + A(b − n) = 0.
    """
    p = background + rise**2
    x = (-p + math.sqrt(p**2 - 4 * rise**2 * (background - observed))) / (2 * rise)
    rate = background + rise * x
    return x, rate - observed * math.log(rate) + x**2 / 2
