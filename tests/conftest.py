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
def as_installed_in_audits(request, compiled_sooner):
    """Each workspace of the audit's tests is asked little: it would be compiled for a few evaluations."""
    with pytest.MonkeyPatch.context() as patch:
        if request.path.parent.name == "audit":
            patch.setattr("verax.infer._evaluate.FEW_EVALUATIONS", compiled_sooner)
        yield


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """The folder of a small run that is done; not to be changed."""
    from small_run import small_run

    return small_run(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def without_figures(tmp_path_factory):
    """Reports draw their figures and keep no files of them."""
    stand_in = tmp_path_factory.mktemp("figure") / "figure.png"
    stand_in.write_bytes(b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("verax.report._html.save", lambda *_: (stand_in, stand_in))
        yield


@pytest.fixture(autouse=True, scope="module")
def few_memory_maps():
    """Each compiled program takes some memory maps: a worker that compiled thousands drops them between modules."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MANY_MAPS:
        import jax  # not above: JAX reads the environment when it is imported

        jax.clear_caches()
