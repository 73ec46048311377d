"""Reliability of classifiers whose calibration is known, with weights of any sign."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import binom, binomtest
from sklearn.calibration import calibration_curve

from verax.check import Reliability, diagram, reliability, reliability_sums
from verax.errors import InputError

TOYS, EVENTS, BINS = 200, 4000, 8
WEIGHTS = ["unit", "negative", "by label"]


def toy(rng: np.random.Generator, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exactly calibrated probabilities, labels and weights."""
    raw = rng.uniform(0.05, 0.95, EVENTS)
    label = rng.random(EVENTS) < raw
    if kind == "by label":  # a signal weighted down by 4: the calibrated probability is the weighted one
        weight = np.where(label, 0.25, 1.0) * rng.uniform(0.5, 1.5, EVENTS)
        return raw * 0.25 / (raw * 0.25 + 1 - raw), label, weight
    weight = np.ones(EVENTS) if kind == "unit" else np.where(rng.random(EVENTS) < 0.2, -1.0, 1.0)
    return raw, label, weight


@pytest.fixture(scope="module", params=WEIGHTS)
def campaign(request: pytest.FixtureRequest) -> list[Reliability]:
    rng = np.random.default_rng(11)
    raw = np.linspace(0.05, 0.95, BINS + 1)
    edges = raw * 0.25 / (raw * 0.25 + 1 - raw) if request.param == "by label" else raw  # equally filled
    return [reliability(*toy(rng, request.param), bins=edges) for _ in range(TOYS)]


def test_pulls_of_a_calibrated_classifier_are_standard_normal(campaign: list[Reliability]) -> None:
    pulls = np.concatenate([r.pull for r in campaign])
    pulls = pulls[np.isfinite(pulls)]
    assert pulls.size > 0.99 * TOYS * BINS
    assert abs(pulls.mean()) < 4 / np.sqrt(pulls.size)
    # χ² of n normal pulls: n ± √2n; 3 % for the error being itself estimated from some 100 effective events a bin
    assert abs((pulls**2).mean() - 1) < 4 * np.sqrt(2 / pulls.size) + 0.03


def test_chance_explains_the_measured_calibration_error(campaign: list[Reliability]) -> None:
    measured, by_chance = (np.array([getattr(r, n) for r in campaign]) for n in ("ece", "ece_calibrated"))
    assert measured.mean() == pytest.approx(
        by_chance.mean(), abs=4 * measured.std() / np.sqrt(TOYS) + 0.02 * by_chance.mean()
    )
    # by the plug-in correction 0.467/0.798 = 0.585 of it is left at exact calibration
    assert np.mean([r.ece_corrected for r in campaign]) == pytest.approx(0.585 * measured.mean(), rel=0.2)


def test_a_wrong_classifier_is_found() -> None:
    p, label, weight = toy(np.random.default_rng(2), "negative")
    result = reliability(p**1.3, label, weight)
    assert result.chi2 > result.ndf + 10 * np.sqrt(2 * result.ndf)
    assert result.ece > 3 * result.ece_calibrated


def test_the_correction_removes_most_of_the_bias() -> None:
    """Labels more frequent than predicted by 0.02 everywhere; 1,000 events per toy make the plain ECE too large."""
    rng, shift = np.random.default_rng(3), 0.02
    found = []
    for _ in range(300):
        p = rng.uniform(0.1, 0.8, 1000)
        found.append(reliability(p, rng.random(1000) < p + shift, np.ones(1000), bins=10))
    plain, corrected = (np.mean([getattr(r, n) for r in found]) for n in ("ece", "ece_corrected"))
    squared = np.array([r.squared for r in found])
    assert squared.mean() == pytest.approx(shift**2, abs=3 * squared.std() / np.sqrt(300))
    assert np.mean([r.squared_error for r in found]) == pytest.approx(squared.std(), rel=0.2)
    assert plain > 1.5 * shift
    assert abs(corrected - shift) < 0.6 * abs(plain - shift)


def test_the_squared_error_has_no_bias(campaign: list[Reliability]) -> None:
    squared, error = (np.array([getattr(r, n) for r in campaign]) for n in ("squared", "squared_error"))
    plain = np.array([np.sum(r.weight * (r.observed - r.predicted) ** 2) / np.sum(r.weight) for r in campaign])
    assert plain.mean() > 10 * squared.std() / np.sqrt(TOYS)  # what is taken out is seen here
    assert squared.mean() == pytest.approx(0.0, abs=3 * squared.std() / np.sqrt(TOYS))
    assert (squared < 0).mean() == pytest.approx(0.55, abs=0.15)
    assert error.mean() == pytest.approx(squared.std(), rel=0.25)


def test_unit_weights_agree_with_scikit_learn() -> None:
    p, label, weight = toy(np.random.default_rng(4), "unit")
    result = reliability(p, label, weight, bins=10)
    observed, predicted = calibration_curve(label, p, n_bins=10)
    np.testing.assert_allclose(result.observed, observed, rtol=1e-12)
    np.testing.assert_allclose(result.predicted, predicted, rtol=1e-12)
    counts = np.histogram(p, 10, (0, 1))[0]
    np.testing.assert_allclose(result.n_effective, counts, rtol=1e-12)
    spread = np.sqrt(predicted * (1 - predicted) / counts)
    np.testing.assert_allclose(result.error, spread, rtol=0.05)  # the binomial error, up to the width of the bins
    ends = [
        binomtest(round(f * n), int(n)).proportion_ci(0.6827, "wilson") for f, n in zip(observed, counts, strict=True)
    ]
    np.testing.assert_allclose(np.stack([result.low, result.high], 1), ends, rtol=1e-4)


KINDS = ["unit", "negative", "by label", "by probability"]


def few(rng: np.random.Generator, kind: str, n: int) -> Reliability:
    """As :func:`toy` for n events of probabilities all over [0, 1], or weights that grow with the probability."""
    raw = rng.random(n)
    label = rng.random(n) < raw
    weight = np.where(rng.random(n) < 0.2, -1.0, 1.0) if kind == "negative" else np.ones(n)
    if kind == "by label":
        raw, weight = raw * 0.25 / (raw * 0.25 + 1 - raw), np.where(label, 0.25, 1.0)
    return reliability(raw, label, np.exp(raw) if kind == "by probability" else weight)


@pytest.mark.thorough
@pytest.mark.parametrize("n", [50, 200])
@pytest.mark.parametrize("kind", KINDS)
def test_chance_alone_makes_small_p_values_as_rarely_as_they_say(kind: str, n: int) -> None:
    """Of 400 exactly calibrated toys, 4 ± 2 with p < 1 %, 20 ± 4.4 with p < 5 %."""
    rng = np.random.default_rng(21)
    found = [few(rng, kind, n) for _ in range(400)]
    p = np.array([r.p_value for r in found])
    for level in (0.01, 0.05, 0.5):
        low, high = binom(400, level).ppf([1e-4, 1 - 1e-4])
        assert low <= (p < level).sum() <= high
    chi2 = np.array([r.chi2 - r.ndf for r in found])
    assert chi2.mean() == pytest.approx(0, abs=4 * chi2.std() / np.sqrt(400))
    by_chance = np.mean([r.ece_calibrated for r in found])
    assert np.mean([r.ece for r in found]) == pytest.approx(by_chance, rel=0.06)


def test_bins_whose_labels_agree_have_errors() -> None:
    result = reliability(np.full(4, 0.4), np.zeros(4), np.ones(4), bins=1)
    assert result.error[0] == pytest.approx(np.sqrt(0.24 / 4))
    assert result.pull[0] == pytest.approx(-0.4 / np.sqrt(0.06))
    # Wilson: π with |π − 0| ≤ √(π(1 − π)/4) is at most 1/(1 + 4)
    assert (result.low[0], result.high[0]) == pytest.approx((0.0, 0.2))
    assert (result.chi2, result.ndf) == (pytest.approx(8 / 3), 1)


def test_wilsons_intervals_cover() -> None:
    """3,000 bins of 30 events, of weights 0.5 to 1.5 that do not know the label; over all truths 0.6827 within 2 %."""
    rng, truth = np.random.default_rng(22), (np.arange(3000) + 0.5) / 3000
    p = np.repeat(truth, 30)
    r = reliability(p, rng.random(90_000) < p, rng.uniform(0.5, 1.5, 90_000), bins=3000)
    held = (r.low <= truth) & (truth <= r.high)
    assert held.mean() == pytest.approx(0.6827, abs=4 * np.sqrt(0.6827 * 0.3173 / 3000) + 0.02)


def test_a_label_of_probability_zero_is_no_chance() -> None:
    result = reliability(np.array([0.0, 0.0, 1.0]), np.array([0, 1, 1]), np.ones(3), bins=2)
    assert np.isposinf(result.pull[0])
    assert np.isnan(result.pull[1])
    assert (result.chi2, result.ndf, result.p_value) == (np.inf, 1, 0.0)
    fine = reliability(np.array([0.0, 1.0]), np.array([0, 1]), np.ones(2), bins=2)
    assert (fine.chi2, fine.ndf) == (0, 0)
    assert np.isnan(fine.p_value)


def test_effective_number_of_events_with_negative_weights() -> None:
    weight = np.array([1.0, 1.0, 1.0, -1.0])
    result = reliability(np.full(4, 0.5), np.array([1, 0, 1, 0]), weight, bins=1)
    assert result.weight[0] == 2.0
    assert result.n_effective[0] == 1.0
    assert result.observed[0] == 1.0  # (1 + 1) / 2


def test_chunks_add_up() -> None:
    p, label, weight = toy(np.random.default_rng(5), "negative")
    whole = reliability(p, label, weight)
    parts = [reliability_sums(p[i : i + 999], label[i : i + 999], weight[i : i + 999]) for i in range(0, EVENTS, 999)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    for field in dataclasses.fields(Reliability):
        np.testing.assert_allclose(getattr(diagram(total), field.name), getattr(whole, field.name), rtol=1e-9)
    with pytest.raises(InputError, match="edges"):
        parts[0] + reliability_sums(p, label, weight, bins=4)


def test_bins_without_weight_are_not_a_number() -> None:
    weight = np.array([1.0, 1.0, -3.0, 1.0])
    result = reliability(np.array([0.1, 0.2, 0.6, 0.65]), np.array([0, 1, 1, 0]), weight, bins=3)
    assert np.isfinite(result.observed).tolist() == [True, False, False]
    assert result.ndf == 1
    assert np.isfinite([result.ece, result.ece_corrected, result.ece_calibrated]).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"probability": np.array([0.2, 1.2])}, "probability 1.2"),
        ({"probability": np.array([0.2, np.nan])}, "probability nan"),
        ({"label": np.array([0, 2])}, "label 2"),
        ({"weight": np.array([1.0, np.inf])}, "weight inf"),
        ({"bins": np.array([0.0, 0.0, 1.0])}, "increasing"),
    ],
)
def test_bad_input_is_named(change: dict, said: str) -> None:
    given = {"probability": np.array([0.2, 0.8]), "label": np.array([0, 1]), "weight": np.ones(2), "bins": 2} | change
    with pytest.raises(InputError, match=said):
        reliability(given["probability"], given["label"], given["weight"], bins=given["bins"])


def test_the_last_edge_belongs_to_the_last_bin() -> None:
    result = reliability_sums(np.array([0.0, 0.5, 1.0]), np.array([0, 1, 1]), np.ones(3), bins=2)
    assert result.weight.tolist() == [1.0, 2.0]
