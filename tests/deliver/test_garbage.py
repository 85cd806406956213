"""The collector of cyclic garbage is the process's: it is calmed once, and set free again once."""

from __future__ import annotations

import gc
from contextlib import ExitStack

from sync.deliver.garbage import few_collections


def test_deliveries_that_overlap_calm_the_collector_until_the_last_of_them_ends() -> None:
    before = gc.get_threshold()
    first, second = ExitStack(), ExitStack()
    first.enter_context(few_collections())
    calm = gc.get_threshold()
    assert calm[0] > before[0]
    assert gc.get_freeze_count() > 0
    second.enter_context(few_collections())
    first.close()
    assert gc.get_threshold() == calm
    second.close()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
