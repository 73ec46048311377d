"""Black-box shift estimation: fractions, their errors, and the two tests, for Gaussians of three classes."""

import math

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from verax.errors import InputError
from verax.shift import LabelShift, bbse

CENTRES = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.2]])
BEFORE, AFTER = np.array([0.4, 0.3, 0.3]), np.array([0.2, 0.2, 0.6])
TOYS = 500


def sample(rng: np.random.Generator, fraction: np.ndarray, n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    y = rng.choice(3, n, p=fraction)
    logit = -0.5 * ((CENTRES[y] + rng.normal(size=(n, 2)))[:, None] - CENTRES) ** 2
    p = np.exp(logit.sum(2))
    return y, p / p.sum(1, keepdims=True)


def predictions(p: np.ndarray, kind: str) -> np.ndarray:
    if kind == "soft":
        return p
    return p.argmax(1) * (2 if kind == "cells" else 1) + (kind == "cells") * (p.max(1) > 0.6)


@pytest.mark.thorough
@pytest.mark.parametrize(("kind", "negative"), [("hard", False), ("soft", True), ("cells", True)])
def test_pulls_and_levels(kind: str, negative: bool) -> None:
    rng = np.random.default_rng({"hard": 301, "soft": 302, "cells": 303}[kind])

    def toy(fraction: np.ndarray) -> LabelShift:
        (y, p), (_, q) = sample(rng, BEFORE), sample(rng, fraction)
        w = v = None
        if negative:
            w, v = (rng.uniform(0.5, 1.5, 600) * np.where(rng.random(600) < 0.1, -1, 1) for _ in range(2))
        return bbse(predictions(p, kind), y, predictions(q, kind), reference_weight=w, target_weight=v)

    shifted, same = [toy(AFTER) for _ in range(TOYS)], [toy(BEFORE) for _ in range(TOYS)]
    pulls = np.array([(r.fraction - AFTER) / r.error for r in shifted])
    assert np.abs(pulls.mean(0)).max() < 0.25  # biased by a ratio of few events, less than a quarter of the error
    np.testing.assert_allclose(pulls.std(0), 1.0, atol=0.1)  # 3.2 standard deviations of the width of 500 pulls
    of_ratio = np.array([(r.ratio - AFTER / BEFORE) / r.ratio_error for r in shifted])
    np.testing.assert_allclose(of_ratio.std(0), 1.0, atol=0.1)
    spread = 3.2 * math.sqrt(0.05 * 0.95 / TOYS)
    assert np.mean([r.p_no_shift < 0.05 for r in same]) == pytest.approx(0.05, abs=spread)
    assert np.mean([r.p_no_shift < 0.05 for r in shifted]) > 0.9
    if kind == "cells":
        assert np.mean([r.p_value < 0.05 for r in shifted]) == pytest.approx(0.05, abs=spread)


@pytest.mark.parametrize(("bins", "told"), [(1, False), (2, False), (10, True)])
def test_cells_of_too_few_events_are_told(bins: int, told: bool) -> None:
    """The third class, 0.6 of the target: with 20 events a cell its fraction is pulled to the reference's 0.3."""
    rng, found = np.random.default_rng(309), []
    for _ in range(100):
        (y, p), (_, q) = sample(rng, BEFORE), sample(rng, AFTER)
        here, there = (
            s.argmax(1) * bins + np.minimum((s.max(1) * 1.5 - 0.5) * bins, bins - 1).astype(int) for s in (p, q)
        )
        found.append(bbse(here, y, there))
    pull = np.array([(r.fraction[2] - 0.6) / r.error[2] for r in found])
    assert all(("events a cell" in r.note) == told for r in found)
    assert (pull.mean() < -0.45) == told  # the mean of 100 pulls is known to 0.1


def test_the_level_where_predictions_confuse_classes() -> None:
    """The variance at q̂ instead of that at p would raise 0.026 false alarms here."""
    rng, toys, p = np.random.default_rng(308), 1000, []
    for _ in range(toys):
        (y, old), (_, new) = sample(rng, BEFORE, 300), sample(rng, BEFORE, 300)
        w, v = (np.where(rng.random(300) < 0.1, -1.0, 1.0) for _ in range(2))
        p.append(bbse(old.argmax(1), y, new.argmax(1), reference_weight=w, target_weight=v).p_no_shift)
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / toys))


def test_the_hard_estimate_solves_the_confusion_matrix() -> None:
    rng = np.random.default_rng(304)
    (y, p), (_, q) = sample(rng, BEFORE), sample(rng, AFTER)
    w = rng.uniform(0, 2, 600)
    found = bbse(p.argmax(1), y, q.argmax(1), reference_weight=w)
    joint = confusion_matrix(y, p.argmax(1), sample_weight=w, normalize="all").T
    ratio = np.linalg.solve(joint, np.bincount(q.argmax(1), minlength=3) / 600)
    np.testing.assert_allclose(found.ratio, ratio, rtol=1e-9)
    np.testing.assert_allclose(found.fraction, ratio * joint.sum(0), rtol=1e-9)
    assert found.fraction.sum() == pytest.approx(1.0)
    assert found.ndf == 0
    assert math.isnan(found.p_value)


def test_a_shift_that_no_fractions_explain_is_found() -> None:
    rng = np.random.default_rng(305)
    (y, p), (_, q) = sample(rng, BEFORE, 2000), sample(rng, AFTER, 2000)
    sharp = q**2 / (q**2).sum(1, keepdims=True)
    assert bbse(predictions(p, "cells"), y, predictions(q, "cells")).p_value > 0.001
    assert bbse(predictions(p, "cells"), y, predictions(sharp, "cells")).p_value < 1e-6


def test_negative_weights_take_events_out_again() -> None:
    """Events of class 0 that come with weight 1 and again with −1 leave the estimate where it was, with a larger error."""
    rng = np.random.default_rng(306)
    (y, p), (_, q), (_, extra) = sample(rng, BEFORE), sample(rng, AFTER), sample(rng, np.array([1.0, 0, 0]), 200)
    plain = bbse(p, y, q)
    more = bbse(p, y, np.concatenate([q, extra, extra]), target_weight=np.repeat([1.0, 1.0, -1.0], [600, 200, 200]))
    np.testing.assert_allclose(more.fraction, plain.fraction, rtol=1e-9)
    assert more.error[0] > plain.error[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": np.zeros(4, int)}, "labels 0 … 0"),
        ({"label": np.array([0, 1, 0])}, "4 predictions"),
        ({"label": np.array([0, 2, 0, 2])}, "weight of 0 of class 1"),
        ({"reference": np.array([0, 0, 1, 1])}, "do not tell the classes apart"),
        ({"reference": np.array([0.1, 0.2, 0.9, 0.8])}, "cells as whole numbers"),
        ({"reference": np.array([0, -1, 0, 1])}, "predicted cell -1"),
        ({"target": np.full((4, 2), 0.4), "reference": np.eye(2)[[0, 1, 0, 1]]}, "adds up to 0.8"),
        ({"target": np.full((4, 2), 0.5)}, "shapes"),
        ({"target_weight": np.array([1.0, -1, 1, -1])}, "total weight of the target of 0"),
    ],
)
def test_bad_input_of_label_shift_is_named(change: dict, said: str) -> None:
    good = {"reference": np.array([0, 1, 0, 1]), "label": np.array([0, 1, 0, 1]), "target": np.array([0, 1, 1, 1])}
    with pytest.raises(InputError, match=said):
        bbse(**(good | change))
