"""Prediction sets of ten classes, and where their guarantee ends: images that are turned, moved and made noisy."""

from verax.compare import on_digits

# --quick: short trainings; `verax compare methods --data digits --shift corruption` compares all methods, on a page
made = on_digits(shift="corruption", quick=True)
trials = made.run(None, ["single"])

print(f"{'sets at 90 %: coverage (size)':32}" + "".join(f"{t.row:>26}" for t in trials))
for condition in trials[0].result:
    scores = [t.result[condition] for t in trials]
    print(f"{condition:32}" + "".join(f"{s['coverage'][0]:18.3f} ({s['size'][0]:.2f})" for s in scores))
