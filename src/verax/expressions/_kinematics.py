"""Angles and masses of objects given by p_T, η, φ and m, as functions of expressions."""

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeAlias

Value: TypeAlias = Any


def deltaphi(xp: ModuleType, phi1: Value, phi2: Value) -> Value:
    """φ₁ − φ₂ in −π … π."""
    difference = phi1 - phi2
    return difference - 2 * math.pi * xp.round(difference / (2 * math.pi))


def delta_r(xp: ModuleType, eta1: Value, phi1: Value, eta2: Value, phi2: Value) -> Value:
    """ΔR = (Δη² + Δφ²)^½."""
    return xp.hypot(eta1 - eta2, deltaphi(xp, phi1, phi2))


def mass(
    xp: ModuleType,
    pt1: Value,
    eta1: Value,
    phi1: Value,
    m1: Value,
    pt2: Value,
    eta2: Value,
    phi2: Value,
    m2: Value,
) -> Value:
    """Invariant mass of two objects, in sums of squares, so that nothing cancels in float32.

    With m_T² = p_T² + m² and rapidity y, E₁E₂ − p_z₁p_z₂ = m_T₁ m_T₂ cosh Δy, so
    m² = m₁² + m₂² + 2 (m_T₁ m_T₂ − p_T₁ p_T₂) + 4 m_T₁ m_T₂ sinh²(Δy/2) + 4 p_T₁ p_T₂ sin²(Δφ/2).
    """
    mt1, mt2 = xp.hypot(pt1, m1), xp.hypot(pt2, m2)
    # m_T₁² m_T₂² − p_T₁² p_T₂² over the sum of the roots, in place of the difference of roots
    squares = (m1 * m2) ** 2 + (m1 * pt2) ** 2 + (m2 * pt1) ** 2
    total = mt1 * mt2 + pt1 * pt2
    difference = squares / xp.where(total > 0, total, 1)
    y1, y2 = (
        xp.arcsinh(pt * xp.sinh(eta) / xp.where(mt > 0, mt, 1)) for pt, eta, mt in ((pt1, eta1, mt1), (pt2, eta2, mt2))
    )
    # a massless object's rapidity is its η, to the last bit
    y1, y2 = xp.where(m1 == 0, eta1, y1), xp.where(m2 == 0, eta2, y2)
    along = 4 * mt1 * mt2 * xp.sinh((y1 - y2) / 2) ** 2
    across = 4 * pt1 * pt2 * xp.sin(deltaphi(xp, phi1, phi2) / 2) ** 2
    return xp.sqrt(m1**2 + m2**2 + 2 * difference + along + across)


KINEMATICS: dict[str, tuple[Callable[..., Value], int]] = {
    "deltaphi": (deltaphi, 2),
    "deltaR": (delta_r, 4),
    "mass": (mass, 8),
}
"""Functions by name, and the number of their arguments."""
