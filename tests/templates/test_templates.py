import jax
import numpy as np
import pytest

from likelihoods import make_templates
from verax.errors import InputError


@pytest.fixture
def templates():
    nominal = [[4.0, 3.0, 2.0, 5.0, 6.0], [10.0, 20.0, 30.0, 40.0, 50.0]]
    up = np.array(nominal) * 1.2
    return make_templates(nominal, variance=np.array(nominal) / 10, systematics=[("jes", up, nominal)], bins=(3, 2))


def test_channels_lie_one_after_another(templates):
    assert templates.slices() == {"channel0": slice(0, 3), "channel1": slice(3, 5)}


def test_rebin_adds_bins(templates):
    merged = templates.rebin(((0.0, 2.0, 3.0), (0.0, 2.0)))
    np.testing.assert_array_equal(merged.nominal, [[7, 2, 11], [30, 30, 90]])
    np.testing.assert_allclose(merged.variance, merged.nominal / 10)
    np.testing.assert_allclose(merged.up[0], merged.nominal * 1.2)
    assert merged.slices()["channel1"] == slice(2, 3)


@pytest.mark.parametrize("edges", [((0.0, 1.5, 3.0), (0.0, 2.0)), ((0.0, 2.0), (0.0, 2.0)), ((0.0, 3.0),)])
def test_rebin_refuses_edges_that_lose_or_split_bins(templates, edges):
    with pytest.raises(InputError):
        templates.rebin(edges)


def test_rebin_can_be_traced(templates):
    total = jax.jit(lambda t: t.rebin(((0.0, 3.0), (0.0, 2.0))).nominal)(templates)
    np.testing.assert_allclose(total, [[9, 11], [60, 90]])


def test_nothing_to_say_about_good_templates(templates):
    assert templates.problems() == ()


def test_problems_name_channel_process_systematic_and_bin():
    nominal = [[1.0, -0.5, 4.0], [-1.0, 3.0, 4.0]]
    variance = [[0.1, 0.1, 0.0], [0.1, 4.0, 0.1]]
    up, down = np.array(nominal) + [[0, 0, 9], [0, 0, 1]], np.array(nominal) + [[0, 0, 0.1], [0, 0, 1]]
    found = make_templates(nominal, variance=variance, systematics=[("jes", up, down)]).problems()
    here = "channel 'channel0'"
    for line in (
        f"{here}: no expected events in bin 0",
        f"{here}: simulation error above 30 % in bin 1",
        f"{here}, process 'signal': negative in bin 1",
        f"{here}, process 'signal': no simulated events in bin 2",
        f"{here}, process 'signal', systematic 'jes': varies by more than 100 % in bin 2",
        f"{here}, process 'background', systematic 'jes': up and down on the same side in bin 2",
    ):
        assert line in found
