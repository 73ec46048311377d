"""The command line: measurements, questions about workspaces, changed workspaces. Imports JAX only when work begins."""

from ._main import main as main
