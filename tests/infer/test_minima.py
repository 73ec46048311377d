"""Local minima, against positions that are roots of a quadratic equation."""

import math

import numpy as np
import pytest

from verax.errors import InputError
from verax.infer import fit, local_minima
from verax.workspace import from_pyhf
from workspaces import MU, sample, workspace


def two_sided(up, down, observed, background=100.0):
    """A background bin that one systematic raises by ``up`` at θ = +1 and by ``down`` at θ = −1, beside a signal bin."""
    shape = ("s", "histosys", {"hi_data": [background + up], "lo_data": [background + down]})
    channels = {"SR": [sample("sig", [20.0], MU), sample("bkg", [50.0])], "CR": [sample("bkg", [background], shape)]}
    return from_pyhf(workspace(channels, observations={"SR": [70], "CR": [observed]}))


def valley(rise, observed, background=100.0):
    """Distance from 0 of the minimum where a side of θ raises the bin by ``rise`` |θ|, beyond 1, and −log L there.

    −log L = ν − n ln ν + θ²/2 with ν = b + A|θ| (code 4p beyond θ = 1): A θ² + (b + A²)|θ| + A(b − n) = 0.
    """
    p = background + rise**2
    x = (-p + math.sqrt(p**2 - 4 * rise**2 * (background - observed))) / (2 * rise)
    rate = background + rise * x
    return x, rate - observed * math.log(rate) + x**2 / 2


@pytest.mark.parametrize(("up", "down"), [(10.0, 10.0), (12.0, 8.0)])
def test_both_valleys_are_found_where_they_are(up, down):
    model, data, _ = two_sided(up, down, 150)
    found = local_minima(model, data)
    right, left = valley(up, 150), valley(down, 150)
    assert min(right[0], left[0]) > 1  # where the formula holds
    k = found.names.index("s")
    assert sorted(found.value[:, k]) == pytest.approx([-left[0], right[0]], abs=1e-5)
    assert 2 * (found.nll[-1] - found.nll[0]) == pytest.approx(2 * abs(left[1] - right[1]), abs=1e-6)
    assert found.value[:, found.names.index("mu")] == pytest.approx(1.0, abs=1e-5)
    assert found.failed == 0


def test_one_valley_is_found_once():
    model, data, _ = two_sided(10.0, -10.0, 150)
    found = local_minima(model, data)
    assert len(found.nll) == 1
    np.testing.assert_allclose(found.value[0], fit(model, data).value, atol=1e-6)
    assert found.starts > 16


def test_what_is_no_question_is_refused():
    model, data, _ = two_sided(10.0, -10.0, 150)
    with pytest.raises(InputError, match="'mux'"):
        local_minima(model, data, fixed={"mux": 1.0})
    with pytest.raises(InputError, match="draws"):
        local_minima(model, data, draws=-1)
    assert len(local_minima(model, data, fixed={"s": 0.0}).nll) == 1
