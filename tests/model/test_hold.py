"""Parameters held: every verb answers as pyhf does with the same parameters fixed."""

import numpy as np
import pyhf
import pytest

from verax.errors import InputError
from verax.infer import breakdown, fit, ranking
from verax.model import hold
from verax.workspace import from_pyhf
from workspaces import MU, sample, workspace

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")

SPEC = workspace(
    {
        "a": [
            sample("s", [15.0, 6.0], MU, ("n", "normsys", {"hi": 1.2, "lo": 0.8})),
            sample(
                "b",
                [80.0, 60.0],
                ("n", "normsys", {"hi": 1.05, "lo": 0.93}),
                ("h", "histosys", {"hi_data": [86.0, 57.0], "lo_data": [75.0, 62.0]}),
                ("o", "normsys", {"hi": 1.1, "lo": 0.92}),
                ("k", "normfactor", None),
            ),
        ],
        "c": [sample("b", [200.0], ("o", "normsys", {"hi": 1.1, "lo": 0.92}), ("k", "normfactor", None))],
    }
)
HELD = {"h": 0.7, "k": 0.98}


@pytest.fixture(scope="module")
def ours():
    model, data, _ = from_pyhf(SPEC)
    return hold(model, HELD), data


@pytest.fixture
def theirs():
    """Best values and errors of pyhf's fit, with more parameters fixed if wanted."""
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-4, strategy=2))
    source = pyhf.Workspace(SPEC)
    model = source.model()
    data = source.data(model)

    def answer(**more):
        held = {**HELD, **more}
        names = list(model.config.par_names)
        init = [held.get(n, x) for n, x in zip(names, model.config.suggested_init(), strict=True)]
        fixed = [n in held for n in names]
        limits = [(-10.0, 10.0)] * len(names)
        found = pyhf.infer.mle.fit(data, model, init, limits, fixed, return_uncertainties=True)
        return {n: tuple(pair) for n, pair in zip(names, np.asarray(found), strict=True)}

    yield answer
    pyhf.set_backend("numpy")


def test_best_values_and_errors_are_those_of_pyhf(ours, theirs):
    best, reference = fit(*ours), theirs()
    for name, value, error in zip(best.names, best.value, best.error, strict=True):
        if name in HELD:
            assert (value, error) == (HELD[name], 0.0)
        else:
            assert value == pytest.approx(reference[name][0], abs=2e-3 * error)
            assert error == pytest.approx(reference[name][1], rel=3e-3)


@pytest.mark.thorough
def test_groups_are_those_of_pyhf_and_what_is_held_has_no_row(ours, theirs):
    model, data = ours
    model = from_pyhf(SPEC, group={"n": "one", "o": "two", "h": "three"}).model
    total = theirs()["mu"][1]
    rows = {r.name: r.impact for r in breakdown(hold(model, HELD), data, "mu", method="freeze").rows}
    best = fit(*ours).params
    for group, name in (("one", "n"), ("two", "o")):
        without = theirs(**{name: best[name]})["mu"][1]
        assert rows[group] == pytest.approx(np.sqrt(total**2 - without**2), rel=0.02)
    assert rows["floating normalisations"] == 0.0
    shifted = {r.name: r.impact for r in breakdown(hold(model, HELD), data, "mu").rows}
    assert "three" not in rows
    assert "three" not in shifted
    assert shifted["total"] == pytest.approx(total, rel=3e-3)


def test_impacts_are_those_of_pyhf_and_what_is_held_is_not_ranked(ours, theirs):
    found, best, error = ranking(*ours, "mu"), theirs(), fit(*ours).error[0]
    assert set(found.names) == {"n", "o"}
    for i, name in enumerate(found.names):
        value, sigma = best[name]
        for sign, impact in ((1, found.up[i]), (-1, found.down[i])):
            moved = theirs(**{name: value + sign * sigma})["mu"][0]
            assert impact == pytest.approx(moved - best["mu"][0], abs=0.01 * error)


def test_an_unknown_name_is_refused(ours):
    with pytest.raises(InputError, match="did you mean 'mu'"):
        hold(ours[0], {"muu": 1.0})
