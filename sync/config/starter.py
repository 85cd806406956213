"""What ``engage-sync init`` writes; the configuration loads once the variables of ``.env.example`` are set."""

CONFIGURATION = """\
# What engage-sync computes, from where, and who is told. Every key: docs/configuration.md
# An editor completes and checks this file with:  engage-sync schema > sync.schema.json
# yaml-language-server: $schema=sync.schema.json
version: 1
project: default                # a store belongs to one project

# The engine's own database: what was decided for whom, and what is still owed. A file, or postgresql://…
store: ${ENGAGE_SYNC_STORE:-sqlite:///engage-sync.db}

# Your databases, opened read-only.
sources:
  shop:
    url: ${SHOP_DATABASE_URL}
    # statement_timeout: 5 minutes
    events:                                 # tables whose rows are events, for `query:`; `forward: true` sends new ones on
      - {table: orders, event: Order Completed, user_id: customer_id, timestamp: ordered_at, cursor: id}
    # profiles: {table: customers, user_id: id}             # a table of people; its other columns are trait('…')
    # layout: segment                       # instead of both: the tables that Segment or RudderStack fills

destinations:
  pushwoosh:
    type: pushwoosh
    api_key: ${PUSHWOOSH_API_KEY}           # or ${file:/run/secrets/pushwoosh_api_key}
    app_code: ${PUSHWOOSH_APP_CODE}
    # mappings: [...]                       # Segment's own, pasted as they are; left out = its two presets
    # limits: {rate: 600/minute, concurrency: 50}
    # retry: {window: 24h, attempts: 8}

# Events from Segment's and RudderStack's SDKs: point them at it. What arrives is the source `collector`.
# collector:
#   listen: 127.0.0.1:8080                  # in clear: for the internet, put a proxy with TLS in front
#   keys: {web: "${WEB_WRITE_KEY}"}         # openssl rand -hex 16

# What a definition below uses when it does not say.
defaults:
  source: shop
  destinations: [pushwoosh]
  schedule: every 2 hours       # or cron: "*/15 * * * *", or "after: NAME"

# Who is a member. Entering sends true, leaving sends false.
audiences:
  - name: Order Completed Last 30days       # the tag is called order_completed_last_30days
    query: event('Order Completed').within(30 days).count() >= 1    # Segment's language: docs/query-language.md
  - name: Big Spenders
    sql: |                      # one row for each member, with the column user_id
      select customer_id as user_id
      from orders
      group by customer_id
      having sum(total) > 500
    guard: {max_exits: 30%}     # hold exits when more than 10, and more than this share, would leave at once
  # - name: Newsletter
  #   table: {name: newsletter_members, user_id: member_id}   # a table or view that someone else maintains

# Computed traits: one value for each user (as sql, with the columns user_id and value).
traits:
  - name: Total Spend
    query: event('Order Completed').sum(property('total'))
    schedule: "after: Big Spenders"

# Whom the daemon tells when something goes wrong, and when it is right again.
# alerts:
#   - {type: slack, url: "${SLACK_URL}"}
"""

ENVIRONMENT = """\
# The variables that sync.yaml reads. Copy to .env, fill in, and:  set -a; . ./.env; set +a
# Keep .env out of version control.
SHOP_DATABASE_URL=sqlite:///shop.db
PUSHWOOSH_API_KEY=replace-with-your-api-access-token
PUSHWOOSH_APP_CODE=XXXXX-XXXXX
# WEB_WRITE_KEY=replace-with-a-random-text
# ENGAGE_SYNC_STORE=postgresql://engage@localhost/engage
"""
