"""What the long proofs run as: whole by ``make soak`` (``SOAK=full``), each time on other cases; small and the same in CI."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import settings

FULL = os.environ.get("SOAK") == "full"

SEED = int(os.environ.get("SOAK_SEED") or (time.time_ns() if FULL else 1)) % 2**32
"""For what is random: always the same in CI, a new one for each whole run unless ``SOAK_SEED`` gives one."""

os.environ["SOAK_SEED"] = str(SEED)  # those who do the work for this process, and say what failed, have the same

_STANDSTILL = 12.0
"""Seconds for which a machine that does a dozen other things may stand still: less than a lease of 15, so that one that
runs out is told from one that is given back."""


def patience(seconds: float) -> float:
    """What a promise of so many ``seconds`` is measured by: in CI, more of them."""
    return seconds if FULL else max(_STANDSTILL, seconds * 5)


def whole_only(why: str) -> pytest.MarkDecorator:
    """Mark a test that is for ``make soak`` alone."""
    return pytest.mark.skipif(not FULL, reason=f"{why}: make soak")


# A busy machine is no fault of the code: no example has to be done within a time. Nor may CI be a matter of luck.
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=1_000)
settings.load_profile("soak" if FULL else "ci")
