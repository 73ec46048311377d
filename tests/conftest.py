"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

# One persistent compilation cache for all workers and runs: compilation dominates the time of these tests.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path.home() / ".cache" / "verax" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")

MANY_MAPS = 30_000
"""Memory maps of a process above which compiled programs are dropped; Linux allows 65,530, and XLA then crashes."""

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of large reference inputs beside the project; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"reference data not found at {SHARED}")
    return SHARED


@pytest.fixture(autouse=True, scope="session")
def compiled_sooner():
    """NumPy begins each minimisation, and soon leaves it to compiled programs: types are checked at each call here.

    That makes an evaluation by NumPy twenty times as slow. Gives the number that holds in a process of its own.
    """
    from verax.infer import _evaluate  # not above: types are checked in what is imported later

    installed, _evaluate.FEW_EVALUATIONS = _evaluate.FEW_EVALUATIONS, 50
    return installed


@pytest.fixture(autouse=True, scope="module")
def few_memory_maps():
    """Each compiled program takes some memory maps: a worker that compiled thousands drops them between modules."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MANY_MAPS:
        import jax  # not above: JAX reads the environment when it is imported

        jax.clear_caches()
