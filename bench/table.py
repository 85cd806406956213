"""One line for each measurement, printed as soon as it is known."""

from __future__ import annotations

from dataclasses import dataclass

_LINE = "{:<38} {:<11} {:>12} {:>12} {:>8} {:>9}  {:<5} {}"


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. ``at_most`` or ``at_least`` is the target for ``ratio``; a row may have none."""

    what: str
    store: str
    ours: str
    ceiling: str
    ratio: float
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def target(self) -> str:
        """The target, as it is printed."""
        if self.at_most is not None:
            return f"<= {self.at_most:g}"
        return "" if self.at_least is None else f">= {self.at_least:g}"

    @property
    def verdict(self) -> str:
        """``ok`` or ``MISS``; empty without a target."""
        if not self.target:
            return ""
        missed = (self.at_most is not None and self.ratio > self.at_most) or (
            self.at_least is not None and self.ratio < self.at_least
        )
        return "MISS" if missed else "ok"


def heading(title: str) -> None:
    """Begin a table."""
    print(f"\n{title}\n", flush=True)
    print(_LINE.format("", "store", "ours", "ceiling", "ratio", "target", "", "").rstrip(), flush=True)


def line(row: Row) -> None:
    """Print one row."""
    ratio = f"{row.ratio:.2f}x"
    cells = (row.what, row.store, row.ours, row.ceiling, ratio, row.target, row.verdict, row.note)
    print(_LINE.format(*cells).rstrip(), flush=True)
