"""Data binned again at each θ: on the rotating Gaussians both it and the fixed summary cover, at different widths."""

import jax
import numpy as np
import pytest

from verax.compare.as_published import as_published, table
from verax.problems import theta_of


@pytest.mark.parametrize(("z", "sigma"), [(np.pi / 4, 0.0867), (np.pi / 2, 0.1867)])
def test_both_cover_and_the_fixed_one_has_its_exact_width(z, sigma):
    """10 bins; σ of f(x; π/4) is known exactly at both angles, that of f(x; z) at its own angle is 0.0867."""
    found = as_published(jax.random.key(12), theta_of(z), bins=10, toys=120, cells=100)
    again, fixed = found.values()
    assert abs(again.pull) < 3.5
    assert abs(fixed.pull) < 3.5
    assert again.width == pytest.approx(2 * 0.0867, rel=0.03)
    assert fixed.width == pytest.approx(2 * sigma, rel=0.06)


def test_its_table_names_both():
    shown = table(jax.random.key(12), {"z = π/4": {}}, bins=(10,), toys=20)
    assert [row[0] for row in shown.rows] == ["binned again at each z, as published", "f(x; z) fixed at the nominal z"]
