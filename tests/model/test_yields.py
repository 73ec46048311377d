"""Errors of expected events against what toys of the parameters say."""

import jax
import numpy as np
import pytest

from likelihoods import realistic
from verax.errors import InputError
from verax.infer import fit
from verax.model import postfit_yields, prefit_yields
from verax.workspace import from_pyhf
from workspaces import MU, sample, workspace


@pytest.fixture(scope="module")
def model():
    return realistic()


@pytest.mark.thorough
def test_before_the_fit_errors_are_those_of_the_priors(model):
    """The spread of expected events when every constrained θ and every γ is drawn from its prior, to first order."""
    rng = np.random.default_rng(4)
    small = 0.05  # prior widths are scaled down, so that interpolation is linear
    nominal = {p.name: p.init for p in model.parameters}
    width = [small if p.constraint else 0.0 for p in model.parameters]
    values = [p.init for p in model.parameters] + width * rng.normal(size=(4000, len(width)))
    gammas = 1 + small * np.asarray(model.width) * rng.normal(size=(4000, len(model.width)))
    with jax.enable_x64(True):
        each = jax.jit(jax.vmap(lambda v, g: model.expected(dict(zip(model.names, v, strict=True)), g)))
        draws = np.asarray(each(values, gammas))
    found = prefit_yields(model)
    assert np.allclose(found.by_process.sum(0), model.expected(nominal))
    spread = np.std(draws, axis=0) / small
    assert np.allclose(found.bin_error, spread, rtol=4 / np.sqrt(2 * 4000) + 0.02)
    assert found.total_error == pytest.approx(np.std(np.sum(draws, axis=1)) / small, rel=4 / np.sqrt(2 * 4000) + 0.02)
    by_channel = [np.std(np.sum(np.asarray(draws)[:, model.layout.channel == c], axis=1)) / small for c in (0, 1)]
    assert np.allclose(found.channel_error, by_channel, rtol=4 / np.sqrt(2 * 4000) + 0.02)


def test_after_the_fit_the_total_is_as_well_known_as_the_data(model):
    """With a free normalisation for it, the fitted total varies like the total count: by its square root."""
    data = model.asimov({})
    best = fit(model, data)
    found = postfit_yields(model, data, best)
    assert np.allclose(found.by_process.sum(0), data.counts, rtol=1e-6)
    assert found.total_error <= 1.02 * np.sqrt(np.sum(data.counts))
    assert np.all(found.bin_error <= 1.02 * np.sqrt(data.counts))
    assert np.all(found.bin_error > 0)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["staterror", "shapesys"])
def test_profiled_errors_count_like_explicit_ones(kind):
    """The same workspace with each γ profiled, or a parameter of the fit because its bounds are narrower."""
    samples = [sample("s", [5.0, 9.0], MU), sample("b", [50.0, 40.0], ("e", kind, [5.0, 3.0]))]
    narrow = {"name": "e", "bounds": [[0.2, 5.0], [0.2, 5.0]]}
    found = []
    for settings in ([], [narrow]):
        model, data, _ = from_pyhf(workspace({"a": samples}, parameters=settings))
        best = fit(model, data)
        assert best.status == 0
        found.append((best.params["mu"], best.error[0], prefit_yields(model), postfit_yields(model, data, best)))
    assert len(model.parameters) == 3
    profiled, explicit = found
    assert profiled[:2] == pytest.approx(explicit[:2], rel=1e-4)
    for one, other in zip(profiled[2:], explicit[2:], strict=True):
        for field in ("by_process", "bin_error", "process_error", "total_error"):
            np.testing.assert_allclose(getattr(one, field), getattr(other, field), rtol=2e-3)
        np.testing.assert_allclose(one.process_channel_error[:, 0], one.process_error, rtol=1e-12)
        np.testing.assert_allclose(one.channel_error, [one.total_error], rtol=1e-12)


def test_prefit_errors_by_slope_and_by_half_the_difference():
    """A factor of 1/2 to 2 on 100 events: code 4 has nearly the slope of 2^α at 0, 69.3; half of 200 − 50 is 75."""
    spec = workspace({"a": [sample("s", [10.0], MU), sample("b", [100.0], ("n", "normsys", {"hi": 2.0, "lo": 0.5}))]})
    model = from_pyhf(spec).model
    assert prefit_yields(model).channel_error == pytest.approx(100 * np.log(2), rel=1e-4)
    assert prefit_yields(model, error="half-difference").channel_error == pytest.approx(75.0, rel=1e-12)
    with pytest.raises(InputError, match="half-difference"):
        prefit_yields(model, error="half-diference")


def test_both_prefit_errors_agree_where_effects_are_linear():
    spec = workspace(
        {"a": [sample("b", [50.0, 60.0], ("h", "histosys", {"hi_data": [55, 57], "lo_data": [45, 63]}))]}, poi=""
    )
    linear = from_pyhf(spec).model
    one, other = (prefit_yields(linear, error=e) for e in ("slope", "half-difference"))
    np.testing.assert_allclose(one.bin_error, [5.0, 3.0], rtol=1e-12)
    np.testing.assert_allclose(other.bin_error, [5.0, 3.0], rtol=1e-12)
