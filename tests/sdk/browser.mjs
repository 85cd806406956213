// Segment's client for browsers, on a page of another origin than the collector's, in a real browser.
//
// CHROMIUM: its program. PAGE: the HTML that loads the client. The others as in segment_node.mjs.
// Says `left` when the page has been left, and ends with its standard input: what a page sends while it is left
// arrives after it.

import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { createServer } from 'node:http'
import { chromium } from 'playwright-core'

const { CHROMIUM, PAGE, PERSON, MANY } = process.env
const CLIENT = new URL('node_modules/@segment/analytics-next/dist/umd/standalone.js', import.meta.url)
const ALONE = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']

const site = createServer((request, response) => {
  if (request.url === '/standalone.js') {
    response.setHeader('Content-Type', 'text/javascript')
    createReadStream(CLIENT).pipe(response)
  } else {
    response.setHeader('Content-Type', 'text/html; charset=utf-8')
    response.end(`<!doctype html><title>A shop</title><link rel="icon" href="data:,">${PAGE}`)
  }
})
site.listen(0, '127.0.0.1')
await once(site, 'listening')

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', ...ALONE],
})
const tab = await browser.newPage()
tab.on('pageerror', fail)
tab.on('console', (message) => message.type() === 'error' && fail(message.text()))

function fail(reason) {
  console.error(reason)
  process.exitCode = 1
}

async function loaded() {
  await tab.waitForFunction(() => window.analytics?.initialized)
}

await tab.goto(`http://127.0.0.1:${site.address().port}/`)
await loaded()
await tab.evaluate(
  async ({ person, many }) => {
    await analytics.identify(person, { email: `${person}@example.com`, plan: 'gold', visits: 3, staff: false })
    await analytics.track('Order Completed', { total: 12.5, coupon: 'Frühling ☀' })
    await analytics.page('Home', { section: 'start' })
    await analytics.screen('Basket', { items: 2 })
    await analytics.group('g-1', { company: 'Initech' })
    await analytics.alias(person, `${person}-before`)
    await Promise.all(Array.from({ length: many }, (_, n) => analytics.track('Step', { n })))
  },
  { person: PERSON, many: Number(MANY) },
)

// Leaving sends at once what waits (batching), or keeps what is on its way and sends it again from the next page.
await Promise.all([
  tab.waitForNavigation(),
  tab.evaluate(() => {
    analytics.track('Leaving', {})
    location.assign('/next')
  }),
])
await loaded()
console.log('left')
for await (const _ of process.stdin);
await browser.close()
site.close()
