"""Words among which an option chooses: for the code that takes them, and for help on the command line, without JAX."""

SHAPE_ERRORS = ("relative", "absolute")
"""What the errors ``vals`` of a ``shapesys`` in an HS3 file are: relative in ROOT's files."""

DECORRELATE_BY = ("channel", "sample")
"""Each has a parameter of its own, after one was decorrelated."""
