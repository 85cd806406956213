"""Run a Hypothesis state machine on a store."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from sync.store.engine import Database
from tests.moving_clock import MovingClock


def run_machine(
    machine: type[RuleBasedStateMachine], database: Database, clock: MovingClock, *, examples: int, steps: int
) -> None:
    """Run ``examples`` of ``steps`` each; the machine finds its store and its clock as ``database`` and ``clock``."""
    here = type(f"{machine.__name__}Here", (machine,), {"database": database, "clock": clock})
    run_state_machine_as_test(
        here,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )
