"""``check`` tells every wrong query at once, each with the file, its path, its line and column, and what to write."""

from __future__ import annotations

import json
from pathlib import Path

from tests.command import engage_sync
from tests.language.test_query_faults import AUDIENCES

HEAD = "version: 1\nsources: {shop: {url: 'sqlite:///shop.db'}}\naudiences:\n"


def test_every_wrong_query_of_a_file_is_told_where_it_goes_wrong(tmp_path: Path) -> None:
    wrong = [each for each in AUDIENCES if each[0].strip() and each[0].isascii() and "\0" not in each[0]]
    listed = [f"  - {{name: A {place}, query: {json.dumps(each[0])}}}\n" for place, each in enumerate(wrong)]
    (tmp_path / "sync.yaml").write_text(HEAD + "".join(listed))

    said = engage_sync("check", "--offline", "--config", str(tmp_path / "sync.yaml"))

    assert said.code == 2
    told = said.err.splitlines()
    missing = [
        (place, sentence)
        for place, (_, line, column, sentence) in enumerate(wrong)
        if not any(
            f"sync.yaml:{place + 4}: audiences[{place}].query: goes wrong in its line {line}, column {column}: " in each
            and sentence in each
            for each in told
        )
    ]
    assert not missing
    assert len(wrong) >= 30
    assert "Traceback" not in said.err


def test_a_query_of_several_lines_is_told_by_its_own_line(tmp_path: Path) -> None:
    query = "trait('plan') = 'pro'\n      AND event('Order Completed')\n        .within(2 weeks).count() >= 1\n"
    (tmp_path / "sync.yaml").write_text(f"{HEAD}  - name: Pros\n    query: >-\n      {query}")
    folded = engage_sync("check", "--offline", "--config", str(tmp_path / "sync.yaml")).err
    (tmp_path / "sync.yaml").write_text(f"{HEAD}  - name: Pros\n    query: |\n      {query}")
    literal = engage_sync("check", "--offline", "--config", str(tmp_path / "sync.yaml")).err

    assert "audiences[0].query: goes wrong in its line 3, column 13: " in literal
    assert "write `14 days`" in literal
    assert "audiences[0].query: goes wrong in its line" in folded
    assert "write `14 days`" in folded
