"""Every epistemic method with every aleatoric head: mean, aleatoric and epistemic part converge as they must.

With 16 times the events the epistemic part falls, the aleatoric part is the variance of the noise, and the mean the true
one.
"""

import numpy as np
import pytest
from epistemic_methods import (
    CURVE,
    FEW,
    FIXED,
    HEADS,
    KEY,
    LEFT_OUT,
    MANY,
    METHODS,
    OPTIONS,
    ROUGH,
    STAYS,
    SUM_ONLY,
    sample,
)

from verax.aleatoric import flow_prediction
from verax.epistemic import laplace, tta
from verax.errors import InputError

PAIRS = [(method, head) for head in HEADS for method in METHODS if (method, head) not in LEFT_OUT]


@pytest.mark.thorough
@pytest.mark.parametrize(("method", "name"), PAIRS)
def test_parts_converge(method: str, name: str) -> None:
    head, options = HEADS[name], OPTIONS.get((method, name), {})
    truth = CURVE if head.mean is None else head.mean
    found = [METHODS[method](KEY, head.make, head.loss, sample(n), **options) for n in (FEW, MANY)]
    draws = None if method in FIXED else 100
    few, many = (head.predict(posterior.members(KEY, draws)) for posterior in found)
    first, last = few[2].mean(), many[2].mean()
    assert first > 0
    if method in STAYS:  # its known limit: what its options say stays
        assert 0.2 * first < last < 3 * first
        return
    # 16 times the events: a variance of estimation falls 16-fold, and less where optimisation adds its own. An ensemble
    # on one sample may agree from the start: then it says little of either.
    if name not in SUM_ONLY:
        assert 0 < last < max(0.6 * first, 0.02 * head.noise)
    if (method, name) in ROUGH:
        return
    # 800 events know the variance to 5 %, and its median over the grid to less than that; fits take or leave some.
    variance = many[1] + many[2] if name in SUM_ONLY else many[1]
    assert np.median(variance) == pytest.approx(head.noise, rel=0.25)
    error = [np.mean((part[0] - truth) ** 2) for part in (few, many)]
    assert error[1] < 0.02
    assert error[1] < error[0]


@pytest.mark.thorough
def test_what_does_not_fit_is_refused() -> None:
    few = sample(FEW)
    head = HEADS["quantiles"]
    with pytest.raises(InputError, match="a loss that is not linear"):
        laplace(KEY, head.make, head.loss, few, training=None)
    head = HEADS["flow"]
    found = laplace(KEY, head.make, head.loss, few, training=None, which="all", curvature="hessian", steps=1)
    noisy = tta(KEY, head.make, head.loss, few, training=None, resolution={"x": 0.1})
    for posterior in (found, noisy):
        with pytest.raises(InputError, match="flow prediction"):
            flow_prediction(posterior.members(KEY, 2))
