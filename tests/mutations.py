"""Random changes of nested data, as typing errors, other programs and bad disks make them."""

import copy
import gzip
import math
import signal
from contextlib import contextmanager

import numpy as np

VALUES = (
    None, True, False, 0, -1, 1.5, 1e308, -1e308, 5e-324, 10**30, math.nan, math.inf, -math.inf, "", "mu", "1.0",
    "\x00", "é" * 300, [], {}, [[]], [None], {"": None}, [1.0, "x"], [1e9] * 3,
)  # fmt: skip
"""What takes the place of a value."""


def places(tree, path=()):
    """Each place in a tree of dicts and lists."""
    yield path
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from places(value, (*path, key))


def mutated(tree, rng: np.random.Generator, changes: int):
    """A copy with some changes, and what they are."""
    tree, told = copy.deepcopy(tree), []
    for _ in range(changes):
        path = list(places(tree))[1:]
        if not path:
            break
        *above, key = path[rng.integers(len(path))]
        parent = tree
        for step in above:
            parent = parent[step]
        value = VALUES[rng.integers(len(VALUES))]
        kind = ("replace", "remove", "repeat", "rename", "scale")[rng.integers(5)]
        told.append((kind, [*above, key], value if kind == "replace" else None))
        if kind == "replace":
            parent[key] = copy.deepcopy(value)
        elif kind == "remove":
            del parent[key]
        elif kind == "repeat":
            if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[key]))
            else:
                parent[f"{key} "] = copy.deepcopy(parent[key])
        elif kind == "rename" and isinstance(parent, dict):
            parent[str(key)[:-1]] = parent.pop(key)
        elif kind == "scale" and isinstance(parent[key], int | float):
            parent[key] *= (-1, 0, 1e6, 1e-9)[rng.integers(4)]
    return tree, told


DAMAGES = ("cut", "bit", "byte", "zeros", "insert", "drop", "again", "swap", "empty", "gzip", "text", "html")


def damaged(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """Bytes as bad disks, stopped copies and other programs leave them, and what was done."""
    kind = DAMAGES[rng.integers(len(DAMAGES))]
    first, last = sorted(rng.integers(0, len(content) + 1, 2).tolist())
    at = int(rng.integers(len(content)))
    head, middle, tail = content[:first], content[first:last], content[last:]
    made = {
        "cut": content[:at],
        "bit": content[:at] + bytes([content[at] ^ 1 << int(rng.integers(8))]) + content[at + 1 :],
        "byte": content[:at] + rng.bytes(1) + content[at + 1 :],
        "zeros": content[:at] + bytes(len(content[at : at + 64])) + content[at + 64 :],
        "insert": content[:at] + rng.bytes(int(rng.integers(1, 9))) + content[at:],
        "drop": content[:at] + content[at + int(rng.integers(1, 9)) :],
        "again": head + middle + middle + tail,
        "swap": head + tail + middle,
        "empty": b"",
        "gzip": gzip.compress(content, mtime=0),
        "text": rng.choice([b"x\n", b"\n\n\n", b"\xff\xfe\x00{", b"x,n,number\n", b"root", b"PAR1PAR1", b"\x1f\x8b"]),
        "html": b"<!DOCTYPE html><title>404 Not Found</title>" + content[:at],
    }
    return made[kind], kind


def misspelt(text: str, rng: np.random.Generator, changes: int) -> str:
    """Text with some letters dropped, doubled, exchanged, or others put in."""
    letters = list(text)
    for _ in range(changes):
        at = int(rng.integers(len(letters))) if letters else 0
        match rng.integers(4):
            case 0:
                del letters[at : at + 1]
            case 1:
                letters[at:at] = letters[at : at + int(rng.integers(1, 4))]
            case 2:
                letters.insert(at, SIGNS[rng.integers(len(SIGNS))])
            case _:
                other = int(rng.integers(len(letters))) if letters else 0
                letters[at : at + 1], letters[other : other + 1] = letters[other : other + 1], letters[at : at + 1]
    return "".join(letters)


SIGNS = (
    *"()[]{}+-*/%<>=!&|~^@.,:;'\"\\#`$ \t\n0123456789eEjJ_xab", "**", "//", "<<", "==", "!=", "not ", " in ", " and ", "if ",
    "\0", "\x1b[31m", "\u00b2", "\uff11", "\u2028", "\ud800", "lambda: ", "1e999", "9" * 400, "await ", "f'{x}'",
)  # fmt: skip


class Hung(BaseException):
    """More processor time than a case may take; no ``except Exception`` takes it for something else."""


@contextmanager
def limited(seconds: float):
    """Raise Hung after so much processor time, however busy the machine is."""

    def stop(*_):
        raise Hung(f"{seconds} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def one_line(error: BaseException | str) -> None:
    """A message that fits in a line of a terminal, and leaves the terminal as it is."""
    text = str(error)
    assert text.isprintable(), text
    assert len(text) < 1000, text
