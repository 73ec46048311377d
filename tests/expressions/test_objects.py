"""Angles and masses of two objects, held to four-vectors in extended precision."""

import jax.numpy as jnp
import numpy as np
import pytest

from verax.data import expression

NAMES = ("pt1", "eta1", "phi1", "m1", "pt2", "eta2", "phi2", "m2")
MASS = expression("mass(pt1, eta1, phi1, m1, pt2, eta2, phi2, m2)")


def objects(rng, n, spread=4.0):
    """Two objects an event; the second at most ``spread`` away in η and φ."""
    first = {"pt": rng.exponential(50, n) + 1, "eta": rng.normal(0, 2, n), "phi": rng.uniform(-np.pi, np.pi, n)}
    second = {
        "pt": rng.exponential(50, n) + 1,
        **{k: first[k] + rng.uniform(-spread, spread, n) for k in ("eta", "phi")},
    }
    masses = rng.choice([0.0, 0.1057, 4.8, 91.2], (2, n))
    return {f"{k}{i + 1}": v for i, some in enumerate((first, second)) for k, v in {**some, "m": masses[i]}.items()}


def reference(columns):
    """From energies and momenta, with 64 bits of mantissa; and the relative error that these leave."""
    p = []
    for i in "12":
        pt, eta, phi, m = (np.asarray(columns[k + i], np.longdouble) for k in ("pt", "eta", "phi", "m"))
        x, y, z = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
        p.append(np.array([np.sqrt(m**2 + x**2 + y**2 + z**2), x, y, z]))
    e, *xyz = p[0] + p[1]
    m = np.sqrt(e**2 - sum(c**2 for c in xyz)).astype(float)
    return m, 10 * np.finfo(np.longdouble).eps * (e.astype(float) / m) ** 2


@pytest.mark.parametrize("spread", [4.0, 0.05])
def test_masses(spread):
    columns = objects(np.random.default_rng(2), 5000, spread)
    true, error = reference(columns)
    found = MASS(columns)
    assert np.quantile(error, 0.7) < 1e-12  # most are known that well
    assert (abs(found / true - 1) < 1e-13 / spread + error).all()


def test_float32_loses_nothing_where_objects_are_close():
    single = {k: v.astype(np.float32) for k, v in objects(np.random.default_rng(3), 5000, 0.2).items()}
    found = MASS({k: jnp.asarray(v) for k, v in single.items()})
    assert found.dtype == np.float32
    true, _ = reference(single)
    # what float32 angles mean: Δη and Δφ are differences of numbers that are exact here
    np.testing.assert_allclose(found, true, rtol=2e-4)
    assert np.median(abs(found - true) / true) < 1e-6


def test_known_masses():
    back_to_back = dict(
        zip(NAMES, map(np.array, ([45.0], [0.0], [0.0], [0.0], [45.0], [0.0], [np.pi], [0.0])), strict=True)
    )
    assert MASS(back_to_back)[0] == pytest.approx(90, rel=1e-15)
    at_rest = back_to_back | {
        "pt1": np.array([0.0]),
        "pt2": np.array([0.0]),
        "m1": np.array([3.0]),
        "m2": np.array([4.0]),
    }
    assert MASS(at_rest)[0] == pytest.approx(7, rel=1e-15)
    nothing = at_rest | {"m1": np.array([0.0]), "m2": np.array([0.0])}
    assert MASS(nothing)[0] == 0
    whole = {k: np.rint(v).astype(np.int64) for k, v in back_to_back.items()}
    assert MASS(whole)[0] == pytest.approx(90 * np.sin(1.5), rel=1e-12)


def test_angles():
    phi = {"a": np.array([3.0, -3.0, 1.0, np.pi, 0.5]), "b": np.array([-3.0, 3.0, 0.25, -np.pi, 0.5 + 4 * np.pi])}
    expected = [6 - 2 * np.pi, 2 * np.pi - 6, 0.75, 0.0, 0.0]
    np.testing.assert_allclose(expression("deltaphi(a, b)")(phi), expected, atol=2e-15)
    rng = np.random.default_rng(4)
    many = {"a": rng.uniform(-10, 10, 999), "b": rng.uniform(-10, 10, 999)}
    found = expression("deltaphi(a, b)")(many)
    assert (abs(found) <= np.pi).all()
    np.testing.assert_allclose(np.exp(1j * found), np.exp(1j * (many["a"] - many["b"])), atol=1e-14)
    far = expression("deltaR(e, a, f, b)")({**many, "e": rng.normal(size=999), "f": np.zeros(999)})
    assert (far >= abs(found)).all()
    assert expression("deltaR(3, 0.1, 0, 0.1 + 4)")({"x": np.zeros(1)})[0] == pytest.approx(np.hypot(3, 2 * np.pi - 4))
