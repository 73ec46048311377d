"""Uncertainty you can defend, for machine learning in particle physics."""

import importlib
import pkgutil
from typing import Any

__version__ = "0.1.0"


def __dir__() -> list[str]:
    """The public parts, imported or not."""
    return sorted(
        {"__version__", "load", *(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))}
    )


def __getattr__(name: str) -> Any:
    """A part, or :func:`verax.pipeline.load`, imported when first asked for, so that ``import verax`` takes no time."""
    if name == "load":
        return importlib.import_module("verax.pipeline").load
    if name.startswith("_") or name not in __dir__():
        raise AttributeError(f"module 'verax' has no attribute '{name}'")
    return importlib.import_module(f"verax.{name}")
