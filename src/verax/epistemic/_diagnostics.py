"""Have Markov chains converged? R-hat and effective sample size of Vehtari et al., arXiv:1903.08008."""

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri
from scipy.stats import rankdata

from verax.errors import InputError


def r_hat(draws: Float[np.ndarray, "chain draw quantity"]) -> Float[np.ndarray, " quantity"]:
    """Rank-normalised, folded R-hat: near 1 where the halves of all chains agree in location and in scale.

    Above 1.01 is worth a longer run, above 1.1 the chains are not one sample. NaN where a quantity is the same in all
    chains, or has values that are not finite.

    Raises
    ------
    InputError : for fewer than four draws
    """
    halves = _halves(draws)
    folded = np.abs(halves - np.median(halves, axis=(0, 1)))
    return np.fmax(_potential_scale(_normal_scores(halves)), _potential_scale(_normal_scores(folded)))


def effective_size(draws: Float[np.ndarray, "chain draw quantity"]) -> Float[np.ndarray, " quantity"]:
    """Independent draws that would know the centre of a quantity as well ("bulk" effective sample size).

    The sum of autocorrelations ends at Geyer's initial monotone sequence; chains that disagree have a small one.

    Raises
    ------
    InputError : for fewer than four draws
    """
    scores = _normal_scores(_halves(draws))
    chains, n, _ = scores.shape
    centred = scores - scores.mean(axis=1, keepdims=True)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, size, axis=1)) ** 2
    covariance = np.fft.irfft(spectrum, size, axis=1)[:, :n].mean(axis=0) / n  # biased: Geyer's sequence needs it
    within = covariance[0] * n / (n - 1)
    between = scores.mean(axis=1).var(axis=0, ddof=1) if chains > 1 else 0.0
    total = within * (n - 1) / n + between
    out = np.full(scores.shape[2], np.nan)
    for i in np.flatnonzero(np.isfinite(total) & (total > 0)):
        rho = 1 - (within[i] - covariance[:, i] * n / (n - 1)) / total[i]
        rho[0] = 1.0
        pairs = rho[: 2 * (n // 2)].reshape(-1, 2).sum(axis=1)
        end = int(np.argmax(pairs <= 0)) if (pairs <= 0).any() else len(pairs)
        tau = 2 * np.minimum.accumulate(pairs[: max(end, 1)]).sum() - 1
        # Antithetic chains may beat independent draws, but not without limit: the bound of Stan.
        out[i] = chains * n / max(tau, 1 / np.log10(chains * n))
    return out


def tail_size(draws: Float[np.ndarray, "chain draw quantity"]) -> Float[np.ndarray, " quantity"]:
    """Independent draws that would know the 5 and the 95 % quantile as well, the smaller of both ("tail" size).

    Raises
    ------
    InputError : for fewer than four draws
    """
    ends = np.quantile(draws, [0.05, 0.95], axis=(0, 1))
    sizes = [effective_size(np.where(np.isfinite(draws), draws <= end, np.nan)) for end in ends]
    return np.fmin(*sizes)


def _halves(draws: np.ndarray) -> np.ndarray:
    """Each chain cut into two, so that a drift counts as a disagreement."""
    n = draws.shape[1] // 2
    if n < 2:
        raise InputError("chains", f"{draws.shape[1]} draws", "at least 4")
    return np.concatenate([draws[:, :n], draws[:, -n:]]).astype(np.float64)


def _normal_scores(draws: np.ndarray) -> np.ndarray:
    """Values replaced by the normal quantiles of their ranks over all chains: no moments need exist."""
    flat = draws.reshape(-1, draws.shape[2])
    scores = ndtri((rankdata(flat, axis=0) - 0.375) / (len(flat) + 0.25))
    scores = np.where(np.isfinite(flat).all(axis=0), scores, np.nan)
    return np.asarray(scores.reshape(draws.shape))


def _potential_scale(draws: np.ndarray) -> np.ndarray:
    n = draws.shape[1]
    within = draws.var(axis=1, ddof=1).mean(axis=0)
    between = draws.mean(axis=1).var(axis=0, ddof=1)
    # Chains that stand still at different places disagree without end; a constant says nothing. Both up to rounding.
    moves = np.ptp(draws, axis=(0, 1)) > 0
    ratio = np.where(moves, np.inf, np.nan)
    np.divide(between, within, out=ratio, where=moves & (within > 1e-20 * between))
    return np.asarray(np.sqrt((n - 1) / n + ratio))
