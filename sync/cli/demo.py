"""``demo``: the whole story without credentials, with the very commands a user would type."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import orjson

from sync.destinations.sandbox import Sandbox, SandboxThread
from sync.errors import UsageError
from sync.source import sample

_CONFIGURATION = """\
version: 1
project: demo
store: sqlite:///{folder}/engage-sync.db
sources:
  shop:
    url: sqlite:///{folder}/shop.db
    events:
      - {{table: orders, event: Order Completed, user_id: customer_id, timestamp: ordered_at, cursor: id}}
destinations:
  pushwoosh: {{type: pushwoosh, api_key: demo, app_code: DEMO1-DEMO2, base_url: "{url}"}}
audiences:
  - name: Order Completed Last 30days
    query: event('Order Completed').within(30 days).count() >= 1
  - name: Big Spenders
    sql: >
      select customer_id as user_id, email from orders join customers on customers.id = customer_id
      where ordered_at <= :as_of group by 1 having sum(total) > 500
    with: [email]
traits:
  - name: Total Spend
    query: event('Order Completed').sum(property('total'))
"""


@click.command("demo")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write shop.db, sync.yaml and the store into this new folder and leave them there.",
)
def demo(keep: Path | None) -> int:
    """The whole story without credentials: a sample shop, the sandbox, backfill, a day passes, delta."""
    if keep is not None:
        if keep.exists():
            raise UsageError(f"{keep} exists already: name a folder that does not")
        keep.mkdir(parents=True)
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(TemporaryDirectory(prefix="engage-sync-demo-")))
        sandbox = Sandbox()
        server = stack.enter_context(SandboxThread(sandbox))
        return _tell(folder, sandbox, server.url)


def _tell(folder: Path, sandbox: Sandbox, url: str) -> int:
    shop, config = folder / "shop.db", folder / "sync.yaml"
    customers, orders = sample.create_shop(shop)
    config.write_text(_CONFIGURATION.format(folder=folder, url=url))
    _say(
        f"A shop with {customers:,} customers and {orders:,} orders; two audiences and a computed trait in sync.yaml; "
        f"a sandbox stands in for Pushwoosh. It is {sample.TODAY:%A, %d %B %Y}."
    )
    today, tomorrow = (f"{instant:%Y-%m-%dT%H:%M:%SZ}" for instant in (sample.TODAY, sample.TOMORROW))
    codes = [_run(config, "plan", "--as-of", today), _run(config, "backfill", "--as-of", today)]
    before = {name: sandbox.user(name) for name in (sample.LEAVES, sample.ENTERS)}
    sent = sandbox.accepted

    new = sample.let_a_day_pass(shop)
    _say(f"A day passes: {new} new orders. Only users whose answer changed are sent.")
    codes += [_run(config, "plan", "--as-of", tomorrow), _run(config, "delta", "--as-of", tomorrow)]
    _say(f"The first sync took {sent:,} requests, this one {sandbox.accepted - sent:,}. A second delta sends nothing:")
    codes.append(_run(config, "delta", "--as-of", tomorrow))

    for name, why in (
        (sample.LEAVES, "her only order is now more than 30 days old"),
        (sample.ENTERS, "she ordered for the first time, for 620"),
    ):
        _say(f"What Pushwoosh holds of {name} ({why}):")
        click.echo(f"  yesterday  {_held(before[name])}\n  now        {_held(sandbox.user(name))}")
        codes.append(_run(config, "user", "show", name))
    if sandbox.complaints:
        _say(f"The sandbox complained: {sandbox.complaints[0]}")
        return 1
    return max(codes)


def _run(config: Path, *arguments: str) -> int:
    from sync.cli import main

    click.secho(f"\n$ engage-sync {' '.join(arguments)}", bold=True)
    return main([*arguments, "--config", str(config)])


def _say(text: str) -> None:
    click.secho(f"\n# {text}", fg="cyan")


def _held(properties: object) -> str:
    return "nothing" if properties is None else orjson.dumps(properties).decode()
