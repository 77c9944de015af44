// Pictures of the pages, for the documentation: ./scripts/screenshots [FOLDER]
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { World, browse, logIn } from './world.mjs';

const folder = process.argv[2] ?? new URL('../../docs/screenshots', import.meta.url).pathname;
const only = process.argv[3];
mkdirSync(folder, { recursive: true });
const world = await World.start({ rows: Number(process.env.ROWS ?? 60_000) });
const browser = await browse();
try {
  // A loop, a few requests more: what is in memory alone.
  const call = { id: 'c1', type: 'function', function: { name: 'search_docs', arguments: '{"q":"rate limits"}' } };
  const turns = [];
  for (let turn = 0; turn < 7; turn++) {
    await world.ask('smart', 'find it', { headers: { 'x-weir-run': 'run_42' }, body: { messages: [{ role: 'user', content: 'find it' }, ...turns] } });
    turns.push({ role: 'assistant', content: null, tool_calls: [{ ...call, id: `c${turn}` }] }, { role: 'tool', tool_call_id: `c${turn}`, content: 'nothing found' });
  }
  for (let n = 0; n < 24; n++) await world.ask(n % 3 ? 'smart' : 'chat', `words=40 ${'a text of some length '.repeat(n * 5)}`, { headers: { 'x-weir-run': `run_${n % 4}` } });
  await world.ask('chat', 'words=20', { headers: { 'x-weir-run': 'run_51', 'x-weir-parent-run': 'run_42' } });
  // One that two deployments refused before a third answered.
  const { requests } = await world.admin('/admin/v1/requests?route=smart&deployment=anthropic/claude-sonnet-5.5&limit=100&since=90d');
  const failed = (requests.find((request) => request.attempts.length === 3 && request.queued_ms > 0) ?? requests.find((request) => request.attempts.length === 3) ?? requests[0] ?? (await world.admin('/admin/v1/requests?limit=1')).requests[0]).id;
  const pages = [
    ['overview', '/dashboard'], ['requests', '/dashboard/requests?errors=true'], ['request', `/dashboard/requests/${failed}`],
    ['runs', '/dashboard/runs'], ['run', '/dashboard/runs/run_42'], ['limits', '/dashboard/limits'], ['providers', '/dashboard/providers?range=7d'],
    ['spend', '/dashboard/spend?range=30d&by=model'], ['waste', '/dashboard/waste?range=7d'], ['capacity', '/dashboard/capacity'],
    ['plan', '/dashboard/plan?route=chat&users=40&think=30s&input-tokens=800&output-tokens=200'], ['readiness', '/dashboard/readiness'],
    ['keys', '/dashboard/keys'], ['alerts', '/dashboard/alerts'],
  ].filter(([name]) => !only || only.split(',').includes(name));
  for (const [theme, width, height, which] of [['light', 1280, 800, pages], ['dark', 1280, 800, pages.filter(([name]) => process.env.ALL || ['overview', 'request'].includes(name))], ['phone', 390, 844, pages.filter(([name]) => process.env.ALL || ['overview', 'requests', 'limits'].includes(name))]]) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme === 'dark' ? 'dark' : 'light', reducedMotion: 'reduce' });
    const page = await logIn(world, context);
    for (const [name, path] of which) {
      await page.goto(world.url + path);
      // A plan is simulated meanwhile.
      for (let tries = 0; tries < 60 && (await page.textContent('main')).includes('Being simulated'); tries++) { await page.waitForTimeout(500); await page.reload(); }
      await page.screenshot({ path: join(folder, `${name}${theme === 'light' ? '' : `-${theme}`}.png`), fullPage: process.env.FULL === '1' });
    }
    await context.close();
  }
} finally {
  await browser.close();
  await world.stop();
}
