"""What several tests of the pipeline share."""

import pytest

from small_run import small_run


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """The folder of a small run that is done; not to be changed."""
    return small_run(tmp_path_factory.mktemp("small"))
