// RudderStack's client for Node, as a program uses it. GZIP: whether it packs what it sends; the others as in
// segment_node.mjs.

import Analytics from '@rudderstack/rudder-sdk-node'

const { COLLECTOR: dataPlaneUrl, WRITE_KEY: writeKey, PERSON: userId, MANY, GZIP } = process.env
const analytics = new Analytics(writeKey, {
  dataPlaneUrl,
  gzip: GZIP === 'yes',
  flushAt: 10,
  flushInterval: 500,
  errorHandler: (error) => {
    console.error(error)
    process.exitCode = 1
  },
})

const originalTimestamp = new Date('2026-03-01T10:15:00.250Z')
const at = { userId, originalTimestamp, timestamp: originalTimestamp }
analytics.identify({ userId, traits: { email: `${userId}@example.com`, plan: 'gold', visits: 3, staff: false } })
analytics.track({ ...at, event: 'Order Completed', properties: { total: 12.5, coupon: 'Frühling ☀' } })
analytics.page({ ...at, name: 'Home', properties: { path: '/' } })
analytics.screen({ ...at, name: 'Basket', properties: { items: 2 } })
analytics.group({ ...at, groupId: 'g-1', traits: { company: 'Initech' } })
analytics.alias({ ...at, previousId: `${userId}-before` })
analytics.track({ ...at, event: 'Same Again', properties: { n: 0 }, messageId: `same-${userId}` })
await analytics.flush()
analytics.track({ ...at, event: 'Same Again', properties: { n: 0 }, messageId: `same-${userId}` })
for (let n = 0; n < Number(MANY); n++) {
  analytics.track({ ...at, event: 'Step', properties: { n } })
}
await analytics.flush()
