"""cabinetry as referee of rankings: impacts within 0.01 σ where its fits are asked to be precise."""

import logging

import cabinetry
import numpy as np
import pyhf
import pytest

from verax.infer import fit, ranking
from verax.workspace import from_pyhf
from workspaces import EXAMPLES

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["normsys and histosys", "normfactor in one channel"])
def test_impacts(name):
    logging.getLogger("cabinetry").setLevel(logging.ERROR)
    pyhf.set_backend("numpy")
    theirs, counts = cabinetry.model_utils.model_and_data(EXAMPLES[name])
    precise = {"tolerance": 1e-4, "strategy": 2}
    best = cabinetry.fit.fit(theirs, counts, **precise)
    reference = cabinetry.fit.ranking(theirs, counts, fit_results=best, **precise)
    model, data, poi = from_pyhf(EXAMPLES[name])
    found, sigma = ranking(model, data, poi), float(fit(model, data).error[model.names.index(poi)])
    assert set(reference.labels) == set(found.names)
    order = [found.names.index(label) for label in reference.labels]
    np.testing.assert_allclose(found.up[order], reference.postfit_up, atol=0.01 * sigma)
    np.testing.assert_allclose(found.down[order], reference.postfit_down, atol=0.01 * sigma)
    constrained = np.isfinite(found.prefit_up[order])
    np.testing.assert_allclose(
        found.prefit_up[order][constrained], np.array(reference.prefit_up)[constrained], atol=0.01 * sigma
    )
    np.testing.assert_allclose(
        found.prefit_down[order][constrained], np.array(reference.prefit_down)[constrained], atol=0.01 * sigma
    )
