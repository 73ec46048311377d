"""Data binned again at each θ: on the rotating Gaussians both it and the fixed summary cover, at different widths."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

from verax.problems import Rotating


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark as a module."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "binned_again.py"
    spec = importlib.util.spec_from_file_location("binned_again", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.thorough
@pytest.mark.parametrize(("z", "sigma"), [(np.pi / 4, 0.0867), (np.pi / 2, 0.1867)])
def test_both_cover_and_the_fixed_one_has_its_exact_width(benchmark, z, sigma):
    """10 bins; σ of f(x; π/4) is known exactly at both angles, that of f(x; z) at its own angle is 0.0867."""
    found = benchmark.as_published(jax.random.key(12), Rotating.theta_of(z), bins=10, toys=120, cells=100)
    again, fixed = found.values()
    assert abs(again.pull) < 3.5
    assert abs(fixed.pull) < 3.5
    assert again.width == pytest.approx(2 * 0.0867, rel=0.03)
    assert fixed.width == pytest.approx(2 * sigma, rel=0.06)


@pytest.mark.thorough
def test_its_table_names_both(benchmark):
    shown = benchmark.table(jax.random.key(12), {"z = π/4": {}}, bins=(10,), toys=20)
    assert [row[0] for row in shown.rows] == ["binned again at each z, as published", "f(x; z) fixed at the nominal z"]
