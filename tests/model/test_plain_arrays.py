"""Binned likelihoods from one source: plain arrays give what JAX gives, and nothing is compiled for them."""

import jax
import numpy as np
import pytest

from likelihoods import realistic
from verax.model import code0, code1
from verax.workspace import from_pyhf
from workspaces import MU, sample, workspace


def factors_of_cells():
    samples = [
        sample("s", [20.0, 30.0], MU, ("k", "normfactor", None)),
        sample(
            "b",
            [100.0, 60.0],
            ("k", "normfactor", None),
            ("free", "shapefactor", None),
            ("n", "normsys", {"hi": 1.1, "lo": 0.95}),
        ),
    ]
    return from_pyhf(workspace({"c": samples}, observations={"c": [0.0, 90.0]}))[0]


def uneven_codes():
    effects = [
        ("h", "histosys", {"hi_data": [104.0, 57.0], "lo_data": [97.0, 61.0]}),
        ("n", "normsys", {"hi": 1.1, "lo": 0.95}),
    ]
    samples = [sample("s", [20.0, 30.0], MU), sample("b", [100.0, 60.0], *effects)]
    return from_pyhf(workspace({"c": samples}), histosys=code0, normsys=code1)[0]


def without_normalisations():
    return from_pyhf(workspace({"c": [sample("b", [100.0, 60.0], ("n", "normsys", {"hi": 1.1, "lo": 0.95}))]}, poi=""))[
        0
    ]


def without_systematics():
    return from_pyhf(workspace({"c": [sample("s", [20.0, 30.0], MU), sample("b", [100.0, 60.0])]}))[0]


THOROUGH = [pytest.param(make, marks=pytest.mark.thorough) for make in (realistic, factors_of_cells, uneven_codes)]


@pytest.mark.parametrize("make", [without_normalisations, without_systematics, *THOROUGH])
def test_plain_arrays_give_the_same_derivatives(make):
    model, rng = make(), np.random.default_rng(1)
    counts = rng.poisson(np.asarray(model.expected({}))).astype(float)
    counts[0] = 0.0
    data = model.asimov({})
    data = type(data)(counts, np.asarray(data.auxiliary))
    start = np.array([p.init for p in model.parameters])
    compiled = jax.jit(lambda m, t, d: m.derivatives(t, d))
    for size in (0.0, 0.3, 1.7):
        theta = start + rng.normal(0, size, len(start))
        with np.errstate(all="ignore"):
            plain = model.derivatives(theta, data)
        with jax.enable_x64(True):
            expected = compiled(model, theta, data)
        for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(expected), strict=True):
            assert not isinstance(a, jax.Array)
            np.testing.assert_allclose(a, np.asarray(b), rtol=1e-11, atol=1e-9 * max(1.0, abs(np.asarray(b)).max()))
