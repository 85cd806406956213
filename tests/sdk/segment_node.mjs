// Segment's client for Node, as a program uses it: every kind of call once, and many in a row.
//
// COLLECTOR: where to. WRITE_KEY: whose. PERSON: the user they are about. MANY: how many in a row.

import { Analytics } from '@segment/analytics-node'

const { COLLECTOR: host, WRITE_KEY: writeKey, PERSON: userId, MANY } = process.env
const analytics = new Analytics({ host, writeKey, flushAt: 10, flushInterval: 500 })
analytics.on('error', (error) => {
  console.error(error)
  process.exitCode = 1
})

const timestamp = new Date('2026-03-01T10:15:00.250Z')
analytics.identify({ userId, traits: { email: `${userId}@example.com`, plan: 'gold', visits: 3, staff: false } })
analytics.track({ userId, timestamp, event: 'Order Completed', properties: { total: 12.5, coupon: 'Frühling ☀' } })
analytics.page({ userId, timestamp, name: 'Home', properties: { path: '/' } })
analytics.screen({ userId, timestamp, name: 'Basket', properties: { items: 2 } })
analytics.group({ userId, timestamp, groupId: 'g-1', traits: { company: 'Initech' } })
analytics.alias({ userId, timestamp, previousId: `${userId}-before` })
analytics.track({ userId, timestamp, event: 'Same Again', properties: { n: 0 }, messageId: `same-${userId}` })
await analytics.flush()
analytics.track({ userId, timestamp, event: 'Same Again', properties: { n: 0 }, messageId: `same-${userId}` })
for (let n = 0; n < Number(MANY); n++) {
  analytics.track({ userId, timestamp, event: 'Step', properties: { n } })
}
await analytics.closeAndFlush()
