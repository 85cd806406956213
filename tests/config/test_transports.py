"""``transport``, ``token`` and ``server_token``: what they become, and what is refused."""

from __future__ import annotations

import pytest

from sync.destinations.pushwoosh.public.tokens import TokenKind
from sync.destinations.pushwoosh.transport import Transport
from sync.errors import ConfigurationError
from tests.config.conftest import Load

DOCUMENT = """
version: 1
sources: {shop: {url: "sqlite:///shop.db"}}
destinations:
  push: {type: pushwoosh, api_key: k3y, app_code: C, %s}
audiences: [{name: A, sql: select 1 as user_id}]
"""


def test_the_transport_chooses_the_address(settings_of: Load) -> None:
    for text, host in (
        ("transport: segment-integration", "https://integration-segment.svc-nue.pushwoosh.com"),
        ("transport: public-api", "https://api.pushwoosh.com"),
        ('transport: public-api, base_url: "https://company.pushwoosh.com/"', "https://company.pushwoosh.com"),
    ):
        assert settings_of(DOCUMENT % text).destinations["push"].base_url == host


def test_the_tokens_are_kept_with_their_kind(settings_of: Load) -> None:
    plain = settings_of(DOCUMENT % "transport: public-api").destinations["push"].access
    assert (plain.transport, plain.token, plain.server_token) == (Transport.PUBLIC, TokenKind.DEVICE, None)
    both = settings_of(DOCUMENT % "transport: public-api, server_token: s3rver").destinations["push"].access
    assert both.server_token is not None
    assert both.server_token.get_secret_value() == "s3rver"
    assert "s3rver" not in repr(both)
    server = settings_of(DOCUMENT % "transport: public-api, token: server").destinations["push"].access
    assert server.token is TokenKind.SERVER


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("token: server", "destinations.push.token: is for `transport: public-api`"),
        ("server_token: s3cret", "destinations.push.server_token: is for `transport: public-api`"),
        ("transport: public-api, token: server, server_token: s3cret", "server_token: is a second one"),
        ("transport: carrier-pigeon", "destinations.push.transport"),
        ("transport: public-api, token: both", "destinations.push.token"),
        (
            'transport: public-api, base_url: "https://proxy.example/a/"',
            "destinations.push.base_url: must be without a path",
        ),
        ("batch: {bulk_users: .inf}", "destinations.push.batch.bulk_users: must be a whole number"),
    ],
)
def test_what_nothing_would_use_is_refused(settings_of: Load, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        settings_of(DOCUMENT % text)
    assert problem in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(("secret", "fine"), [("{secret: s3cret-s3cret}", True), ("{}", False)])
def test_deletions_need_somebody_who_signs_them(settings_of: Load, secret: str, fine: bool) -> None:
    text = f"version: 1\nprivacy: {{delete_events: true}}\ncollector: {{webhooks: {{segment: {secret}}}}}\n"
    if fine:
        assert settings_of(text).delete_events
    else:
        with pytest.raises(ConfigurationError, match=r"privacy\.delete_events: needs a webhook with a `secret`"):
            settings_of(text)
