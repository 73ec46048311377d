"""Envelopes, PDF Hessians and replicas: values computed by hand, and sums that no chunk changes."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from verax.errors import InputError
from verax.events import make_events
from verax.parameters import nuisance
from verax.systematics import normalisation
from verax.templates import Envelope, Hessian, Replicas, Reweighted, WeightSet, combined, members, templates

NOMINAL = np.array([[100.0]])


def sides(combination, *values, nominal=NOMINAL):
    """Up and down of each parameter in one bin."""
    up, down = combination(nominal, np.array(values, float)[:, None, None])
    return up[:, 0, 0].tolist(), down[:, 0, 0].tolist()


def test_an_envelope_has_nominal_in_it():
    assert sides(Envelope(), 104, 97, 101) == ([104.0], [97.0])
    assert sides(Envelope(), 104, 102) == ([104.0], [100.0])
    assert sides(Envelope(), 96, 99) == ([100.0], [96.0])


PAIRS = (104, 97, 101, 102, 98, 96)
"""Changes (+4, −3), (+1, +2), (−2, −4)."""


@pytest.mark.parametrize(
    ("formula", "rise", "fall"),
    [
        ("asymmetric", math.sqrt(4**2 + 2**2), math.sqrt(3**2 + 4**2)),
        ("symmetric", math.sqrt(7**2 + 1**2 + 2**2) / 2, math.sqrt(7**2 + 1**2 + 2**2) / 2),
        ("single", math.sqrt(16 + 9 + 1 + 4 + 4 + 16), math.sqrt(16 + 9 + 1 + 4 + 4 + 16)),
    ],
)
@pytest.mark.parametrize(("confidence", "scale"), [(68, 1.0), (90, 1.6448536269514722)])
def test_master_formulas(formula, rise, fall, confidence, scale):
    (up,), (down,) = sides(Hessian(formula, confidence), *PAIRS)
    assert (up, down) == (pytest.approx(100 + rise / scale, rel=1e-14), pytest.approx(100 - fall / scale, rel=1e-14))


@pytest.mark.parametrize(
    ("formula", "up", "down"),
    [
        ("asymmetric", [104, 101, 98], [97, 102, 96]),
        ("symmetric", [103.5, 99.5, 101], [96.5, 100.5, 99]),
        ("single", PAIRS, [96, 103, 99, 98, 102, 104]),
    ],
)
def test_a_parameter_for_each_eigenvector(formula, up, down):
    found = sides(Hessian(formula, each=True), *PAIRS)
    assert found == (pytest.approx(up, rel=1e-14), pytest.approx(down, rel=1e-14))
    assert Hessian(formula, each=True).parameters(6) == len(up)
    scaled = sides(Hessian(formula, 90, each=True), *PAIRS)[0]
    assert scaled == pytest.approx([100 + (u - 100) / 1.6448536269514722 for u in up], rel=1e-14)


def test_eigenvectors_add_in_quadrature_to_the_one_parameter():
    each, one = (sides(Hessian("symmetric", 68, each), *PAIRS)[0] for each in (True, False))
    assert math.hypot(*(u - 100 for u in each)) == pytest.approx(one[0] - 100, rel=1e-14)


def test_pairs_are_pairs():
    with pytest.raises(InputError, match="5 members; expected pairs"):
        Hessian().parameters(5)
    assert Hessian("single").parameters(5) == 1


def test_replicas():
    assert sides(Replicas(), 98, 100, 102, 104) == (
        [pytest.approx(100 + math.sqrt(20 / 3), rel=1e-14)],
        [pytest.approx(100 - math.sqrt(20 / 3), rel=1e-14)],
    )
    assert sides(Replicas("nominal"), 98, 100, 102, 104)[0] == [pytest.approx(100 + math.sqrt(24 / 4), rel=1e-14)]


@dataclass(frozen=True)
class Power:
    k: int

    def __call__(self, events):
        return np.asarray(events.column("w")) ** self.k


def score(events):
    return np.asarray(events.column("x")), np.zeros(len(events), np.int64)


@pytest.fixture(scope="module")
def events():
    rng = np.random.default_rng(5)
    n = 4000
    columns = {"x": rng.uniform(0, 4, n), "w": rng.uniform(0.5, 1.5, n)}
    process = rng.integers(0, 2, n)
    return make_events(columns, weight=rng.normal(1, 1, n), process=process, number=np.arange(n), processes=("a", "b"))


def made(combination, processes=(), count=4):
    some = tuple(Reweighted(nuisance(f"m{k}", ""), Power(k), processes) for k in range(1, count + 1))
    names = [f"t_{i}" for i in range(combination.parameters(count))] if isinstance(combination, Hessian) else ["t_0"]
    return WeightSet(tuple(nuisance(n, "theory") for n in names), some, combination)


def filled(events, systematics, edges, cut=10**6):
    chunks = [events.take(np.arange(i, min(i + cut, len(events)))) for i in range(0, len(events), cut)]
    return templates(score, chunks, members(systematics), [edges])


SETS = [Envelope(), Hessian(), Hessian("single", 90, each=True), Replicas()]


@pytest.mark.parametrize("combination", SETS)
def test_bins_are_merged_before_and_chunks_do_not_matter(events, combination):
    systematics = [normalisation("n", 0.1), made(combination, ("b",)), normalisation("m", 0.2)]
    coarse = filled(events, systematics, (0.0, 2.0, 4.0))
    expected = combined(coarse, systematics)
    fine = filled(events, systematics, tuple(np.linspace(0, 4, 9)), cut=333)
    found = combined(fine.rebin(((0.0, 2.0, 4.0),)), systematics)
    assert [p.name for p in found.systematics] == ["n", *(p.name for p in systematics[1].parameters), "m"]
    np.testing.assert_allclose(found.up, expected.up, rtol=1e-13)
    np.testing.assert_allclose(found.down, expected.down, rtol=1e-13)
    again = filled(events, systematics, (0.0, 2.0, 4.0), cut=77)
    np.testing.assert_array_equal(combined(again, systematics).up, expected.up)
    # by hand: members' sums in float32 weights
    w, weight = np.asarray(events.column("w")), np.asarray(events.weight)
    rows = (np.asarray(events.process) == 1) & (np.asarray(events.column("x")) < 2)
    sums = [math.fsum((weight[rows] * w[rows] ** k).tolist()) for k in range(1, 5)]
    nominal = math.fsum(weight[rows].tolist())
    up, down = sides(combination, *sums, nominal=np.array([[nominal]]))
    np.testing.assert_allclose(expected.up[1:-1, 1, 0], up, rtol=1e-13)
    np.testing.assert_allclose(expected.down[1:-1, 1, 0], down, rtol=1e-13)
    np.testing.assert_array_equal(
        expected.up[1:-1, 0], np.broadcast_to(expected.nominal[0], expected.up[1:-1, 0].shape)
    )


def test_a_weight_that_is_not_finite_is_named(events):
    broken = events.replace({"w": np.where(np.arange(len(events)) == 7, np.nan, np.asarray(events.column("w")))})
    with pytest.raises(InputError, match=r"systematic 'm1' at θ = \+1, process .*1 weights that are NaN or infinite"):
        filled(broken, [made(Envelope())], (0.0, 4.0))
    of_b = int(np.asarray(events.process)[7]) == 0
    filled(broken, [made(Envelope(), ("b",) if of_b else ("a",))], (0.0, 4.0))  # where it acts only
