"""Methods side by side, with the published figures beside ours."""

from verax.compare.run import compare_approaches as compare_approaches
