"""``import verax`` takes no time, and has all parts."""

import subprocess
import sys

import pytest

import verax


def test_parts_are_there_after_one_import_and_cost_nothing_until_used():
    loaded = "'jax' in sys.modules"
    light = "verax.infer.fit; verax.workspace.from_pyhf; verax.templates.Templates; verax.report.Section"
    code = f"import sys, verax; {light}; assert not {loaded}; verax.epistemic.ensemble; assert {loaded}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_part_is_an_attribute_error_and_the_parts_are_listed():
    with pytest.raises(AttributeError, match="no attribute 'inferr'"):
        verax.inferr  # noqa: B018
    assert {"infer", "model", "workspace", "load", "__version__"} <= set(dir(verax))
