"""The analysis file asks for treated variations, and the stage says what changed."""

import numpy as np
import pytest

from likelihoods import make_templates
from verax.analysis import Analysis, Treatment
from verax.errors import InputError
from verax.pipeline._summarise import treat

NOMINAL = np.array([[100.0, 80.0, 60.0, 40.0, 20.0]])
UP = NOMINAL * [1.1, 0.9, 1.1, 0.9, 1.1]


def treatment(**templates) -> Treatment:
    effect = {"effect": "normalisation", "width": 0.1}
    analysis = Analysis.model_validate(
        {
            "name": "a",
            "title": "A",
            "samples": [{"process": "signal", "files": ["x.csv"]}],
            "poi": {"name": "mu", "processes": ["signal"]},
            "features": ["x"],
            "systematics": [{"name": n, **effect} for n in ("jes", "tiny")],
            "templates": templates,
        }
    )
    return analysis.templates


def test_variations_are_symmetrised_smoothed_and_pruned_in_this_order():
    given = make_templates(
        NOMINAL, variance=NOMINAL, systematics=[("jes", UP, NOMINAL), ("tiny", NOMINAL * 1.0001, NOMINAL)]
    )
    same, said = treat(treatment(), given)
    assert same is given
    assert said == ()
    options = {"symmetrise": {"jes": "mirror-up"}, "smooth": ["jes"], "prune": {"shape": 0.001, "normalisation": 0.001}}
    made, said = treat(treatment(**options), given)
    assert [p.name for p in made.systematics] == ["jes"]
    assert np.ptp(made.up[0] / NOMINAL) < 0.1
    np.testing.assert_allclose((made.up + made.down)[0].sum(), 2 * NOMINAL.sum(), rtol=1e-12)
    assert said[0].startswith("jes: symmetrised (mirror-up)")
    assert said[1].startswith("jes: 2 variations smoothed")
    assert said[2] == "tiny, signal in channel0: normalisation pruned (0.01%)"
    assert said[3] == "tiny: parameter pruned (0.01%)"


def test_unknown_systematics_get_their_nearest():
    with pytest.raises((InputError, ValueError), match="did you mean 'jes'"):
        treatment(smooth=["jess"])
