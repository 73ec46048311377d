"""Numbers as a paper prints them: rounded to their uncertainty, with true minus signs."""

import math

from verax.results import Interval, Status

MISSING = "–"


def decimals(error: float, digits: int = 2) -> int:
    """Count the decimals that show ``digits`` significant digits of ``error`` (never below zero).

    >>> decimals(0.254), decimals(0.0999), decimals(31.2), decimals(0.254, 3)
    (2, 2, 0, 3)
    """
    if not math.isfinite(error) or error == 0:
        return 2
    places = digits - 1 - math.floor(math.log10(abs(error)))
    rounded = round(abs(error), places)  # 0.0999 rounds to 0.10, which has one decimal less
    return max(digits - 1 - math.floor(math.log10(rounded)), 0)


def number(value: float, places: int, *, sign: bool = False) -> str:
    """Write a value with fixed decimals, a true minus sign, and a dash for NaN.

    >>> number(-0.256, 2), number(0.004, 2, sign=True), number(float("nan"), 2)
    ('−0.26', '+0.00', '–')
    """
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:{'+' if sign else ''},.{places}f}".replace(",", "\N{THIN SPACE}")
    if not sign and text.strip("-0.") == "":
        text = text.lstrip("-")
    return text.replace("-", "−")


def with_error(value: float, error: float) -> str:
    r"""Write ``value ± error`` with two significant digits of the error.

    >>> with_error(1.0042, 0.254), with_error(12345.6, 123.4)
    ('1.00 ± 0.25', '12\u2009346 ± 123')
    """
    if not math.isfinite(error):
        return number(value, 3)
    places = decimals(error)
    return f"{number(value, places)} ± {number(error, places)}"


def with_ends(interval: Interval) -> str:
    """Write ``value +up −down`` of one interval; ``value ± error`` for equal ends. An end that was not found is named.

    >>> import numpy as np
    >>> one = lambda x: np.asarray(x)
    >>> with_ends(Interval("mu", 0.68, one(1.0), one(0.757), one(1.27), one(0)))
    '1.00 +0.27 −0.24'
    >>> with_ends(Interval("mu", 0.68, one(20.0), one(19.971), one(20.0), one(5)))  # END_NOT_FOUND: the bound
    '20.000 −0.029, upper end not found'
    """
    value, up, down = float(interval.value), float(interval.up), float(interval.down)
    finite = [abs(e) for e in (up, down) if math.isfinite(e) and e != 0]
    places = decimals(min(finite)) if finite else 2
    plus, minus = number(up, places), number(down, places)
    if int(interval.status) == Status.END_NOT_FOUND:
        ends = {"upper": (up, f"+{plus}"), "lower": (down, f"−{minus}")}
        none = [side for side, (size, _) in ends.items() if not size > 0] or ["an"]
        shown = [f" {text}" for size, text in ends.values() if size > 0]
        missing = f"{' and '.join(none)} end{'s' * (len(none) > 1)} not found"
        return f"{number(value, places)}{''.join(shown)}, {missing}{': the bound' * (none == ['an'])}"
    tail = f"± {plus}" if plus == minus else f"+{plus} −{minus}"
    return f"{number(value, places)} {tail}"
