"""Each workspace of these tests is asked little."""

import pytest


@pytest.fixture(scope="package", autouse=True)
def as_installed(compiled_sooner):
    """Few fits are made by NumPy, also here: each model would be compiled for a few evaluations."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("verax.infer._evaluate.FEW_EVALUATIONS", compiled_sooner)
        yield
