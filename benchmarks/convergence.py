"""Do the methods' defaults converge, and does their status say where they do not?

Usage: python benchmarks/convergence.py [--problem line sine] [--method NAME ...] [--events 200 2000 20000] [--seeds 1 2 3]

The problems and what is measured are those of tests/epistemic/known_answers.py: "off" is the distance to the known answer in
its standard deviations, "sd" the spread divided by the exact one (line) or by the error (sine). On the line they are of the
method's own optimum, where that is known, and then of the posterior. Medians over seeds, with the lowest and the highest;
every method with its defaults. Notes of the posteriors, by letter, and lines of those that are not OK stand below the table.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "epistemic"))
from known_answers import METHODS, ON, find, judge

from verax.errors import InputError


def measure(problem, name, n, seed):
    begun = time.process_time()
    try:
        events, found = find(problem, name, n, seed)
    except InputError as error:
        return np.nan, np.nan, np.nan, np.nan, "refused", str(error), (), time.process_time() - begun
    seconds = time.process_time() - begun
    of_posterior = judge(problem, name, events, found, seed, own=False) if problem == "line" else (np.nan, np.nan)
    own = judge(problem, name, events, found, seed)
    return *own, *of_posterior, found.status.name, found.problem, found.notes, seconds


def cell(values):
    low, middle, high = np.quantile(values, [0, 0.5, 1])
    return "–" if np.isnan(middle) else f"{middle:.2f} ({low:.2f}…{high:.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problem", nargs="*", default=list(ON), choices=ON)
    parser.add_argument("--method", nargs="*", default=list(METHODS), choices=METHODS)
    parser.add_argument("--events", nargs="*", type=int, default=[200, 2000, 20000])
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    a = parser.parse_args()
    heads = ("problem", "method", "events", "off", "sd", "posterior: off", "sd", "status", "notes", "CPU s")
    print(f"| {' | '.join(heads)} |\n| :-- | :-- | --: | --: | --: | --: | --: | :-- | :-- | --: |")
    lines, letters = [], {}
    for problem in a.problem:
        for name in (name for name in a.method if name in ON[problem]):
            for n in a.events:
                found = zip(*(measure(problem, name, n, s) for s in a.seeds), strict=True)
                *numbers, status, problems, notes, seconds = found
                ends = ", ".join(f"{status.count(s)} {s}" for s in dict.fromkeys(status))
                for note in sum(notes, ()):
                    letters.setdefault(note, chr(ord("a") + len(letters)))
                noted = ", ".join(dict.fromkeys(letters[note] for note in sum(notes, ())))
                row = [problem, name, str(n), *map(cell, numbers), ends, noted, f"{np.median(seconds):.1f}"]
                print(f"| {' | '.join(row)} |", flush=True)
                lines += [f"- {problem}, {name}, {n}: {line}" for line in dict.fromkeys(problems) if line]
    print("\n" + "\n".join([*(f"{letter}. {note}" for note, letter in letters.items()), *lines]))


if __name__ == "__main__":
    main()
