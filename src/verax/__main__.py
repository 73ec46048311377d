"""``python -m verax`` is the command ``verax``."""

from verax.cli import main

main()
