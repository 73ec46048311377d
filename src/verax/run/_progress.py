"""Progress of long work."""


class Progress:
    """What long work tells while it runs; this one is silent."""

    def stage(self, name: str, *, reused: bool) -> None:
        """A stage begins, or was ``reused``."""

    def step(self, task: str, done: int, total: int | None, failed: int = 0) -> None:
        """``done`` of ``total`` steps of a task are over, ``failed`` of these in vain."""

    def note(self, text: str) -> None:
        """A line that a person should read, whatever else is shown."""
