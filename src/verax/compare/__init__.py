"""Methods side by side, with the published figures beside ours."""

from verax.compare.methods.run import compare_methods as compare_methods
from verax.compare.run import compare_approaches as compare_approaches
