// Segment's client for browsers, on a page of another origin than the collector's, in a real browser.
//
// CHROMIUM: its program. MODE: `standard` (a request for each event) or `batching`. The others as in segment_node.mjs.
// Says `left` when the page has been left, and ends with its standard input: what a page sends while it is left
// arrives after it.

import { createReadStream } from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { chromium } from 'playwright-core'

const { CHROMIUM, COLLECTOR, WRITE_KEY, PERSON, MANY, MODE } = process.env
const FILES = {
  '/': ['text/html', 'page.html'],
  '/standalone.js': ['text/javascript', 'node_modules/@segment/analytics-next/dist/umd/standalone.js'],
}
const QUIET = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
] // prettier-ignore

const site = createServer((request, response) => {
  const [type, path] = FILES[new URL(request.url, 'http://site').pathname] ?? []
  response.writeHead(path ? 200 : 404, { 'Content-Type': type ?? 'text/plain' })
  path ? createReadStream(new URL(path, import.meta.url)).pipe(response) : response.end()
})
site.listen(0, '127.0.0.1')
await once(site, 'listening')

const browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET })
const tab = await browser.newPage()
tab.on('pageerror', (error) => fail(error))
tab.on('console', (message) => message.type() === 'error' && fail(message.text()))

function fail(reason) {
  console.error(reason)
  process.exitCode = 1
}

function address(path = '/') {
  const strategy = MODE === 'batching' ? { strategy: 'batching', config: { size: 10, timeout: 60_000 } } : undefined
  const options = { integrations: { 'Segment.io': { deliveryStrategy: strategy } } }
  const asked = { key: WRITE_KEY, cdn: COLLECTOR, options: JSON.stringify(options) }
  return `http://127.0.0.1:${site.address().port}${path}?${new URLSearchParams(asked)}`
}

async function visit() {
  await tab.goto(address())
  await tab.waitForFunction(() => window.loaded)
}

await visit()
await tab.evaluate(
  async ({ person, many }) => {
    const { analytics } = window
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
await tab.evaluate(() => {
  window.analytics.track('Leaving', {})
  location.href += '#'
  location.reload()
})
await tab.waitForFunction(() => window.loaded)
console.log('left')
for await (const _ of process.stdin);
await browser.close()
site.close()
