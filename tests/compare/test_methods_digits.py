"""Methods of classification on images of ten classes: what corruptions do to images, to sets and to losses."""

import hashlib
import math
from dataclasses import replace

import jax
import numpy as np
import pytest
from sklearn.datasets import load_digits

from comparison_folder import read_comparison
from verax.compare import CLASSIFIERS, CORRUPTIONS, compare_methods, corrupted, on_digits
from verax.data import digits
from verax.errors import InputError

RNG = np.random.default_rng(1)


@pytest.fixture(scope="module")
def images():
    return np.asarray(digits.load().x, np.float64).reshape(-1, 8, 8)[:50]


def test_the_shipped_images_are_the_published_ones():
    events, known = digits.load(), load_digits()
    assert np.array_equal(events.x, known.data)
    assert np.array_equal(events.process, known.target)
    note = (digits.path().parent / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(digits.path().read_bytes()).hexdigest() in note
    assert digits.DOI in note
    assert digits.LICENCE in note


def test_images_turn_move_and_become_noisy(images):
    """By a right angle and by a whole pixel there is nothing to interpolate."""
    turned = CORRUPTIONS["rotation"].change(images, 90.0, RNG)
    ways = np.stack([np.rot90(images, k, axes=(1, 2)) for k in (1, -1)])
    found = np.isclose(turned, ways, atol=1e-9).all(axis=(2, 3))
    assert found.any(axis=0).all()
    assert found.any(axis=1).all()
    moved = CORRUPTIONS["shift"].change(images, 1.0, RNG)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    ways = np.stack([padded[:, a : a + 8, b : b + 8] for a, b in ((0, 1), (2, 1), (1, 0), (1, 2))])
    found = np.isclose(moved, ways, atol=1e-9).all(axis=(2, 3))
    assert found.any(axis=0).all()
    assert found.any(axis=1).all()
    noisy = CORRUPTIONS["noise"].change(np.full((500, 8, 8), 8.0), 1.0, RNG)
    assert noisy.std() == pytest.approx(1.0, rel=4 / math.sqrt(2 * 32_000))


def test_corruptions_are_those_of_the_seed_and_leave_labels():
    events = digits.load().take(np.arange(20))
    one, again, other = corrupted(events, 1), corrupted(events, 1), corrupted(events, 2)
    assert len(one) == sum(len(c.strengths) for c in CORRUPTIONS.values())
    for name, moved in one.items():
        assert np.array_equal(moved.x, again[name].x)
        assert not np.array_equal(moved.x, other[name].x)
        assert np.array_equal(moved.process, events.process)


def test_parts_have_no_common_event_and_five_seeds_judge_on_all():
    made, judged = on_digits(shift="none"), []
    for seed in range(5, 10):
        sample, conditions = made.parts(seed)
        parts = [sample.learn, sample.stop, sample.calibrate, conditions["nominal"]]
        numbers = np.concatenate([np.asarray(p.number) for p in parts])
        assert len(np.unique(numbers)) == len(numbers) == 1797
        judged.append(np.asarray(conditions["nominal"].number))
    assert len(np.unique(np.concatenate(judged))) == 1797
    assert np.array_equal(sample.label(sample.learn), np.asarray(sample.learn.process))


def test_what_is_not_for_digits_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"--shift: got 'gap'; expected none or corruption for the digits"):
        compare_methods("digits", tmp_path, shift="gap")
    with pytest.raises(InputError, match=r"--set, --splits: got data of another kind, digits"):
        compare_methods("digits", tmp_path, splits=1)


@pytest.mark.thorough
def test_sets_cover_what_they_say_until_images_are_corrupted(tmp_path):
    """Five seeds judge on 1,797 images, each once, and calibrate on as many: errors of both are binomial."""
    kept = compare_methods("digits", tmp_path, shift="corruption", names=["single"], seeds=5, seed=20, quick=True)
    assert kept[1].columns == ("Method", "guarantee", "none", *CORRUPTIONS)
    (trials,) = (s["trials"] for s in read_comparison(tmp_path).values() if "trials" in s)
    for row in ("conformal, LAC", "conformal, APS", "conformal, LAC by class", "single network", "temperature"):
        found = [t["result"] for t in trials if t["row"] == row]
        covered = {c: np.mean([r[c]["coverage"][0] for r in found]) for c in found[0]}
        if row.startswith("conformal"):
            # With n points of a class sets cover ⌈.9 (n + 1)⌉/(n + 1), for 36 up to 1/37 more than they say.
            slack = 1 / 37 if "class" in row else 1 / 360
            assert (covered["nominal"] - 0.9) / math.sqrt(2 * 0.09 / 1797) > -3
            assert (covered["nominal"] - 0.9 - slack) / math.sqrt(2 * 0.09 / 1797) < 3
        for kind, corruption in CORRUPTIONS.items():
            strongest = f"{kind} {corruption.strengths[-1]:g}{corruption.unit}"
            assert covered[strongest] < covered["nominal"]
            assert covered[strongest] < 0.6 or kind == "noise"
    page = (tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert "under a shift no row has one" in page


@pytest.mark.thorough
def test_every_method_gives_its_rows_of_ten_classes():
    """But the calibrators of two classes; members that differ have mutual information, one network has none."""
    made = on_digits(quick=True)
    made = replace(made, learn=made.learn.model_copy(update={"epochs": 2, "members": 2}))
    trials = made.run(None)
    rows = {t.row: t.result["nominal"] for t in trials}
    assert len(rows) == 11
    assert not {"Platt", "isotonic"} & set(rows)
    for row, found in rows.items():
        alone = row.startswith("conformal") or row in ("single network", "temperature")
        assert (found["mutual information"][0] > 1e-5) == (not alone), row
        assert -1e-6 < found["mutual information"][0] <= found["entropy"][0] <= math.log(10)


def test_uniform_numbers_are_others_with_each_seed():
    """Ten equal chances: which sets have one class more says which numbers were drawn; equal ones would give nested sets."""
    made = on_digits(quick=True)
    made = replace(made, learn=made.learn.model_copy(update={"epochs": 1, "width": 8, "depth": 1}))
    sample, _ = made.parts(1)
    larger = []
    for seed in (1, 2):
        rows, _ = CLASSIFIERS["single"].fit(jax.random.key(seed), sample)
        aps = dict(zip(CLASSIFIERS["single"].rows, rows, strict=True))["conformal, APS"]
        size = aps.sets(np.full((400, 10), 0.1)).sum(axis=1)
        larger.append(size > size.min())
    assert (larger[0] & ~larger[1]).any()
    assert (larger[1] & ~larger[0]).any()
