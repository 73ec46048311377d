"""Known answers of every way to make a variation symmetric, bin by bin."""

import numpy as np
import pytest

from likelihoods import make_templates
from verax.errors import InputError
from verax.templates import symmetrise

NOMINAL = np.array([10.0, 10.0, 10.0, 10.0])
UP, DOWN = np.array([12.0, 11.0, 9.0, 13.0]), np.array([9.0, 12.0, 12.0, 13.0])
SHIFT = {
    "average": [1.5, -0.5, -1.5, 0.0],
    "mirror-up": [2.0, 1.0, -1.0, 3.0],
    "mirror-down": [1.0, -2.0, -2.0, -3.0],
    "absolute-mean": [1.5, 1.5, 1.5, 3.0],
    "maximum": [2.0, 2.0, 2.0, 3.0],
    "maximum-signed": [2.0, -2.0, -2.0, 3.0],
}


def templates(up=UP, down=DOWN, nominal=NOMINAL):
    other = (nominal * 1.1, nominal * 0.8)
    return make_templates([nominal], systematics=[("jes", [up], [down]), ("tes", [other[0]], [other[1]])], bins=(3, 1))


@pytest.mark.parametrize("method", SHIFT)
def test_each_method_has_its_shift(method):
    made, _ = symmetrise(templates(), "jes", method)
    np.testing.assert_allclose(made.up[0, 0], NOMINAL + SHIFT[method], rtol=1e-15)
    np.testing.assert_allclose(made.down[0, 0], NOMINAL - SHIFT[method], rtol=1e-15)
    np.testing.assert_array_equal(made.up[1], templates().up[1])
    np.testing.assert_array_equal(made.down[1], templates().down[1])


def test_a_symmetric_variation_stays_bit_by_bit():
    up = NOMINAL * (1 + 0.1 / 3)
    given = templates(up, 2 * NOMINAL - up)
    for method in ("average", "mirror-up", "mirror-down", "maximum-signed"):
        made, report = symmetrise(given, "jes", method)
        np.testing.assert_array_equal(made.up, given.up)
        np.testing.assert_array_equal(made.down, given.down)
        assert all(r.size == 0 for r in report)


def test_the_report_counts_one_sided_bins_and_the_largest_change():
    _, (first, last) = symmetrise(templates(), "jes", "average")
    assert (first.systematic, first.process, first.channel) == ("jes", "signal", "channel0")
    assert first.size == pytest.approx(0.15)  # bin 1: up from 11 to 9.5
    assert (first.one_sided, first.cut) == (1, 0)
    assert (last.channel, last.one_sided) == ("channel1", 1)
    assert last.size == pytest.approx(0.3)


def test_a_mirrored_side_never_falls_below_zero():
    made, (first, _) = symmetrise(templates(up=np.array([25.0, 11, 9, 13])), "jes", "mirror-up")
    assert made.down[0, 0, 0] == 0.0
    assert made.up[0, 0, 0] == 25.0
    assert first.cut == 1


def test_a_negative_bin_is_mirrored_as_it_is():
    nominal = np.array([-1.0, 10, 10, 10])
    made, (first, *_) = symmetrise(templates(up=np.array([1.0, 11, 9, 13]), nominal=nominal), "jes", "mirror-up")
    assert made.down[0, 0, 0] == -3.0
    assert first.size == np.inf


@pytest.mark.parametrize(("name", "method", "message"), [("jet", "average", "'tes'|'jes'"), ("jes", "max", "maximum")])
def test_unknown_names_get_their_nearest(name, method, message):
    with pytest.raises(InputError, match=message):
        symmetrise(templates(), name, method)
