"""Figures from papers, to stand beside ours: expected σ on the signal yield or strength, by case and approach."""

INFERNO = "arXiv:1806.04743, table 1"

PUBLISHED: dict[str, dict[str, tuple[float, str]]] = {
    "mixture 0": {"propagate": (14.99, INFERNO), "inferno": (15.51, INFERNO), "optimal classifier": (14.97, INFERNO)},
    "mixture 1": {"propagate": (18.94, INFERNO), "inferno": (16.79, INFERNO), "optimal classifier": (19.12, INFERNO)},
    "mixture 2": {"propagate": (23.94, INFERNO), "inferno": (16.95, INFERNO), "optimal classifier": (24.93, INFERNO)},
}
"""Case → approach → (value, source)."""
