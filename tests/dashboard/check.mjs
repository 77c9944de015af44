// Walks the dashboard in a browser, as ./scripts/test dashboard does; with --rows N over as many requests, and with --speed how fast each page is.
//
// Each page, wide and narrow, light and dark, empty and filled, with script and without: nothing in the console, nothing that
// the policy refused, no sideways scroll, nothing that axe finds, and figures that are the admin API's. Then log-in, roles,
// other sites' forms, keys, hostile names and live figures.
import { readFileSync } from 'node:fs';
import { ADMIN, OPERATOR, VIEWER, World, browse, logIn } from './world.mjs';

const axe = readFileSync(new URL('./node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const rows = Number(process.argv[process.argv.indexOf('--rows') + 1] || 0) || 10_000;
const faults = [];
let checks = 0;
const check = (name, is, more = '') => { checks++; if (!is) { faults.push(`${name}${more ? `: ${more}` : ''}`); console.log(`FAILED ${faults.at(-1)}`); } };
const same = (name, shown, told) => check(name, shown === told, `shows ${JSON.stringify(shown)}, the API tells ${JSON.stringify(told)}`);

// What a page says that it should not.
const listen = (page) => {
  const said = [];
  page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => said.push(`error: ${error.message}`));
  page.on('requestfailed', (request) => { if (!request.url().includes('/live')) said.push(`failed: ${request.url()}`); });
  return said;
};

const pagesOf = async (world) => {
  const paths = ['/dashboard', '/dashboard/requests', '/dashboard/runs', '/dashboard/limits', '/dashboard/capacity', '/dashboard/plan', '/dashboard/readiness', '/dashboard/providers', '/dashboard/spend?by=model', '/dashboard/waste', '/dashboard/waste?by=run&range=7d', '/dashboard/keys', '/dashboard/alerts', '/dashboard/requests?errors=true&range=7d', '/dashboard/requests?route=nothing-has-this-name'];
  const { requests } = await world.admin('/admin/v1/requests?limit=1&errors=true');
  const { runs } = await world.admin('/admin/v1/runs?limit=1');
  const { alerts } = await world.admin('/admin/v1/alerts?limit=1');
  if (alerts[0]) paths.push(`/dashboard/alerts/${alerts[0].id}`);
  if (requests[0]) paths.push(`/dashboard/requests/${requests[0].id}`);
  if (runs[0]) paths.push(`/dashboard/runs/${encodeURIComponent(runs[0].run)}?tenant=${runs[0].tenant}`);
  return paths;
};

const sizes = new Map();
async function walk(browser, world, label) {
  const paths = await pagesOf(world);
  for (const width of [1280, 390]) for (const colorScheme of ['light', 'dark']) for (const javaScriptEnabled of [true, false]) {
    const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme, javaScriptEnabled, reducedMotion: 'reduce' });
    const page = await logIn(world, context);
    const said = listen(page);
    for (const path of paths) {
      const name = `${label} ${path} ${width} ${colorScheme} script ${javaScriptEnabled ? 'on' : 'off'}`;
      const answer = await page.goto(world.url + path);
      check(`${name} is there`, answer.status() === 200, String(answer.status()));
      if (javaScriptEnabled) {
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        check(`${name} does not scroll sideways`, wide <= 0, `${wide} px too wide`);
        await page.evaluate(axe);
        const found = await page.evaluate(() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }));
        for (const fault of found.violations) check(`${name} axe ${fault.id}`, false, `${fault.help}; ${fault.nodes.slice(0, 3).map((node) => node.target.join(' ') + ' ' + (node.any[0]?.message ?? '')).join(' | ')}`);
        checks++;
        if (width === 1280 && colorScheme === 'light') {
          const html = await answer.text();
          const nodes = await page.evaluate(() => document.querySelectorAll('*').length);
          sizes.set(`${label} ${path.replace(/req_.*/, 'ID')}`, `${Math.round(html.length / 1024)} kB, ${nodes} nodes`);
          check(`${name} is small`, html.length <= 150 * 1024, `${html.length} bytes`);
          check(`${name} has few nodes`, nodes <= 2_500, `${nodes} nodes`);
          check(`${name} has no inline style or script`, !/ style=|<style|<script(?! src)| on\w+=/.test(html.replace(/<bdi.*?<\/bdi>/gs, '')));
        }
      }
    }
    check(`${label} ${width} ${colorScheme} script ${javaScriptEnabled} says nothing in the console`, said.length === 0, said.slice(0, 3).join(' | '));
    await context.close();
  }
}

const values = (page, selector) => page.$$eval(`${selector} data`, (all) => all.map((data) => data.value));

async function figures(browser, world, label) {
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 1280, height: 800 } });
  const page = await logIn(world, context);
  const now = Date.now();
  const iso = (ms) => new Date(ms).toISOString().slice(0, 19) + '+00:00';
  const [from, to] = [Math.floor(now / 1000) * 1000 - 7 * 86_400_000, Math.floor(now / 1000) * 1000 - 60_000];
  const range = `from=${encodeURIComponent(iso(from))}&to=${encodeURIComponent(iso(to))}`;
  const told = await world.admin(`/admin/v1/series?since=${from}&until=${to}&by=provider`);
  const { total } = told.all;
  await page.goto(`${world.url}/dashboard?${range}`);
  const tiles = await values(page, '.tile .big');
  same(`${label} overview answered`, tiles[0], `${total.answered}/${total.requests - total.cancelled}`);
  same(`${label} overview 429s`, tiles[1], `${total.calls.status_429}/${total.calls.attempts}`);
  same(`${label} overview requests`, tiles[3], String(total.requests));
  same(`${label} overview spend`, tiles[4], total.cost_usd);
  const times = total.first_content_ms ?? total.duration_ms;
  same(`${label} overview p95`, tiles[2], times ? String(times.p95) : '');

  for (const by of ['key', 'model', 'tenant', 'route', 'provider', 'tag:team']) {
    const spend = await world.admin(`/admin/v1/series?since=${from}&until=${to}&by=${by}&top=100`);
    await page.goto(`${world.url}/dashboard/spend?by=${by}&${range}`);
    const shown = await page.$$eval('#r-spend-table tbody tr', (all) => all.map((row) => row.querySelector('td[data-l=cost] data').value).sort());
    same(`${label} spend by ${by}`, JSON.stringify(shown), JSON.stringify(spend.rows.map((row) => row.total.cost_usd).sort()));
    same(`${label} spend by ${by} in all`, (await values(page, '#r-spend-tiles .tile .big'))[0] ?? '0', spend.all.total.cost_usd);
  }
  await page.goto(`${world.url}/dashboard/waste?${range}`);
  const waste = await values(page, '#r-waste td[data-l=cost]');
  const paid = Object.entries(total.wasted).filter(([why]) => why !== 'oversized_max_tokens');
  same(`${label} waste`, JSON.stringify(waste.sort()), JSON.stringify(paid.map(([, row]) => row.cost_usd).sort()));
  for (const link of await page.$$eval('#r-waste td[data-l=requests] a', (all) => all.map((a) => ({ shown: a.querySelector('data').value, query: new URL(a.href).searchParams.get('waste') })))) {
    const { count, more } = await world.admin(`/admin/v1/requests/count?since=${from}&until=${to}&waste=${link.query}`);
    check(`${label} waste ${link.query} leads to as many requests`, more || link.shown === String(count), `${link.shown} for ${count}`);
  }

  for (const filter of ['', '&errors=true', '&status=4xx', '&route=smart', '&tag=team%3Dscience', '&refused-by=weir', '&cost=0.02', '&provider=anthropic']) {
    const { count, more } = await world.admin(`/admin/v1/requests/count?since=${from}&until=${to}${filter}`);
    await page.goto(`${world.url}/dashboard/requests?${range}${filter}`);
    const lead = await page.textContent('.lead');
    check(`${label} requests${filter} are as many as the API counts`, lead.startsWith(`${count.toLocaleString('en')}${more ? '+' : ''} request`), `${lead} for ${count}`);
    const listed = await world.admin(`/admin/v1/requests?since=${from}&until=${to}&limit=50${filter}`);
    const links = await page.$$eval('.requests tbody a', (all) => all.map((a) => a.href.split('/').at(-1)));
    same(`${label} requests${filter} rows`, JSON.stringify(links), JSON.stringify(listed.requests.map((request) => request.id)));
  }
  // All pages of a list together are what was counted.
  let pages = 0, seen = new Set();
  await page.goto(`${world.url}/dashboard/requests?${range}&errors=true`);
  for (;;) {
    (await page.$$eval('.requests tbody a', (all) => all.map((a) => a.href))).forEach((href) => seen.add(href));
    const next = await page.$('a[rel=next]:not(.step)');
    if (!next || ++pages > 40) break;
    await Promise.all([page.waitForNavigation(), next.click()]);
  }
  const { count, more } = await world.admin(`/admin/v1/requests/count?since=${from}&until=${to}&errors=true`);
  if (pages <= 40 && !more) same(`${label} all pages of failures`, seen.size, count);

  await page.goto(`${world.url}/dashboard/keys`);
  const { budgets } = await world.admin('/admin/v1/budgets');
  const left = await values(page, '#r-budgets td[data-l=left]');
  same(`${label} budgets`, JSON.stringify(left), JSON.stringify(budgets.map((budget) => budget.left_usd)));
  const { pools } = await world.admin('/admin/v1/headroom');
  await page.goto(`${world.url}/dashboard/limits`);
  same(`${label} limits`, (await page.$$('.limit:not(.head)')).length, pools.flatMap((pool) => pool.limits).length);
  const { alerts } = await world.admin('/admin/v1/alerts?state=open');
  await page.goto(`${world.url}/dashboard/alerts`);
  const cards = await page.$$eval('#r-open article h2 a', (all) => all.map((a) => a.getAttribute('href').split('/').at(-1)));
  same(`${label} open alerts`, JSON.stringify(cards), JSON.stringify(alerts.map((alert) => alert.id)));
  // What has no price is not free.
  if (total.unpriced > 0) {
    await page.goto(`${world.url}/dashboard/spend?by=model&${range}`);
    check(`${label} no page with unknown prices says $0.00`, !(await page.content()).includes('$0.00<'));
  }
  await context.close();
}

// What capacity is decided by: the same limits, peaks, forecasts, grades and losses as the admin API tells.
async function desk(browser, world, label) {
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 1280, height: 800 } });
  const page = await logIn(world, context);
  const plain = (text) => text.replace(/[\u202f\u00a0]/g, ' ').trim();
  const texts = async (selector) => (await page.$$eval(selector, (all) => all.map((el) => el.textContent))).map(plain);
  const percent = (part) => { const p = part * 100; return p >= 10_000 ? '> 9,999 %' : p > 0 && p < 0.5 ? '< 1 %' : `${p.toFixed(0)} %`; };

  const { ceilings } = await world.admin('/admin/v1/capacity');
  await page.goto(`${world.url}/dashboard/capacity`);
  check(`${label} capacity has something to compare`, ceilings.length > 3 && ceilings.some((one) => one.peak));
  same(`${label} capacity limits`, JSON.stringify(await texts('#r-ceilings tbody th a')), JSON.stringify(ceilings.map((one) => one.name)));
  for (const [column, of] of [['peak', (one) => one.peak], ['to come', (one) => one.busiest]]) {
    const shown = (await texts(`#r-ceilings td[data-l="${column}"]`)).filter((text) => text.endsWith('%'));
    same(`${label} capacity ${column}`, JSON.stringify(shown), JSON.stringify(ceilings.filter(of).map((one) => percent(of(one).share))));
  }

  const { questions } = await world.admin('/admin/v1/readiness');
  await page.goto(`${world.url}/dashboard/readiness`);
  for (const { question, grade, answer } of questions) {
    const shown = plain(await page.textContent(`#question-${question} h3`));
    check(`${label} readiness ${question}`, shown.includes(grade === 'unknown' ? 'not enough data' : grade) && shown.endsWith(plain(answer).slice(0, 150)), `${shown} for ${grade}: ${answer}`);
  }

  const load = 'route=chat&users=40&think=30s&input-tokens=800&output-tokens=200';
  const { plan } = await world.admin(`/admin/v1/plan?${load}`);
  await page.goto(`${world.url}/dashboard/plan?${load}`);
  for (const [column, of] of [['needs', (limit) => limit.needs], ['has', (limit) => limit.has]]) {
    const shown = (await values(page, `#r-plan-limits td[data-l=${column}]`)).map((value) => Math.round(Number(value)));
    check(`${label} plan has limits`, shown.length > 0);
    same(`${label} plan ${column}`, JSON.stringify(shown), JSON.stringify(plan.formula.limits.map((limit) => Math.round(of(limit)))));
  }

  const { pools } = await world.admin('/admin/v1/headroom');
  await page.goto(`${world.url}/dashboard/limits`);
  const peaks = (await texts('.limit:not(.head) b')).map((text) => (text.startsWith('<') ? 0 : parseFloat(text))).sort((a, b) => a - b);
  const told = pools.flatMap((pool) => pool.limits.map((limit) => (100 * limit.peak) / limit.limit)).sort((a, b) => a - b);
  check(`${label} limits' peaks`, peaks.length === told.length && peaks.every((peak, n) => Math.abs(peak - told[n]) <= 0.1), `${peaks} for ${told}`);

  for (const by of ['key', 'route', 'run']) {
    const now = Math.floor(Date.now() / 1000) * 1000 - 60_000;
    const iso = (ms) => encodeURIComponent(new Date(ms).toISOString().slice(0, 19) + '+00:00');
    const { rows } = await world.admin(`/admin/v1/waste?since=${now - 7 * 86_400_000}&until=${now}&by=${by}&top=20`);
    await page.goto(`${world.url}/dashboard/waste?by=${by}&from=${iso(now - 7 * 86_400_000)}&to=${iso(now)}`);
    const shown = await values(page, '#r-names td[data-l=cost]');
    check(`${label} waste by ${by} has rows`, shown.length > 0);
    same(`${label} waste by ${by}`, JSON.stringify(shown), JSON.stringify(rows.map((row) => row.cost_usd)));
  }
  await context.close();
}

async function people(browser, world) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const refused = await page.goto(`${world.url}/dashboard/requests?status=429&range=1h`);
  check('without a session there is the form', refused.status() === 401 && (await page.textContent('h1')) === 'Log in');
  await page.fill('input[name=key]', 'weir_not_a_key_of_anybody_here');
  await page.click('button.main');
  check('a wrong key is told so', (await page.textContent('[role=alert]')).includes("not an admin's"));
  await page.fill('input[name=key]', ADMIN);
  await Promise.all([page.waitForURL(/requests\?/), page.click('button.main')]);
  check('one goes on where one was, with the filters', page.url().endsWith('/dashboard/requests?status=429&range=1h'), page.url());
  const [cookie] = (await context.cookies()).filter(({ name }) => name === 'weir_session');
  check('the cookie is for the server alone', cookie.httpOnly && cookie.sameSite === 'Strict' && cookie.path === '/dashboard', JSON.stringify(cookie));
  const policy = (await page.goto(`${world.url}/dashboard`)).headers();
  check('the policy', policy['content-security-policy'].includes("default-src 'none'") && policy['content-security-policy'].includes("frame-ancestors 'none'") && !policy['content-security-policy'].includes('unsafe'));
  check('no page is kept', policy['cache-control'] === 'no-store' && policy['x-content-type-options'] === 'nosniff');
  check('pages are packed', policy['content-encoding'] === 'gzip');

  const post = (path, headers, body = '') => fetch(world.url + path, { method: 'POST', redirect: 'manual', headers: { cookie: `weir_session=${cookie.value}`, 'content-type': 'application/x-www-form-urlencoded', ...headers }, body });
  for (const [what, headers] of [['another site', { origin: 'https://evil.example' }], ['no site', {}], ['a sandboxed page', { origin: 'null' }], ['another port', { origin: 'http://127.0.0.1:1' }]]) {
    const answer = await post('/dashboard/keys/new', headers, 'name=stolen');
    check(`a form of ${what} is refused`, answer.status === 403, String(answer.status));
  }
  const { keys } = await world.admin('/admin/v1/keys');
  check('and made no key', !keys.some((key) => key.name === 'stolen'));

  // A key: made, shown once, given a new secret, revoked.
  await page.goto(`${world.url}/dashboard/keys`);
  await page.fill('#r-new-key input[name=name]', 'made-here');
  await Promise.all([page.waitForSelector('#secret'), page.click('#r-new-key button')]);
  const secret = await page.textContent('#secret');
  check('the secret is shown', secret.startsWith('weir_') && !page.url().includes(secret));
  check('it lets in', (await fetch(`${world.url}/v1/models`, { headers: { authorization: `Bearer ${secret}` } })).status === 200);
  await page.goto(`${world.url}/dashboard/keys`);
  check('and only once', !(await page.content()).includes(secret));
  const row = page.locator('#r-keys tr', { hasText: 'made-here' });
  await row.locator('summary').click();
  await row.locator('form[action$=revoke] input[name=name]').fill('made-here');
  await row.locator('form[action$=revoke] button').click();
  await page.waitForSelector('.notice');
  check('a revoked key lets nobody in', (await fetch(`${world.url}/v1/models`, { headers: { authorization: `Bearer ${secret}` } })).status === 401);

  await page.locator('.rail button', { hasText: 'Log out' }).click();
  await page.waitForURL(/login/);
  check('who is logged out is out', (await fetch(`${world.url}/dashboard`, { headers: { cookie: `weir_session=${cookie.value}` } })).status === 401);

  // An alert is taken on by who presses the button, and not by who opens the page.
  await world.until(async () => (await world.admin('/admin/v1/alerts?state=open')).alerts.some((alert) => alert.rule === 'run-halted'));
  const own = await browser.newContext();
  const desk = await logIn(world, own, OPERATOR);
  const { alerts: [alert] } = await world.admin('/admin/v1/alerts?rule=run-halted');
  await desk.goto(`${world.url}/dashboard/alerts/${alert.id}`);
  same('an alert that is looked at', (await world.admin(`/admin/v1/alerts/${alert.id}`)).state, 'open');
  await desk.click('form[action$=acknowledge] button');
  await desk.waitForSelector('.notice');
  same('an alert that is taken on', (await world.admin(`/admin/v1/alerts/${alert.id}`)).acknowledged?.by, 'olga');
  // A halted run goes on when somebody releases it.
  await desk.goto(`${world.url}/dashboard/runs/run_42`);
  await desk.fill('#r-run-release input[name=max_requests]', '50');
  await desk.click('#r-run-release button');
  await desk.waitForSelector('.notice');
  same('a run that is released', (await world.admin('/admin/v1/runs/run_42')).state, 'released');
  await own.close();

  for (const [role, key, may] of [['viewer', VIEWER, false], ['operator', OPERATOR, true]]) {
    const own = await browser.newContext();
    const seen = await logIn(world, own, key);
    await seen.goto(`${world.url}/dashboard/keys`);
    check(`a ${role}'s buttons`, (await seen.isEnabled('#r-new-key button')) === may);
    check(`a ${role} is named`, (await seen.textContent('.rail .who')).includes(role));
    const [{ value }] = (await own.cookies()).filter(({ name }) => name === 'weir_session');
    const answer = await fetch(`${world.url}/dashboard/keys/new`, { method: 'POST', redirect: 'manual', headers: { cookie: `weir_session=${value}`, origin: world.url, 'content-type': 'application/x-www-form-urlencoded' }, body: `name=by-${role}` });
    check(`a ${role}'s form`, (answer.status === 200) === may && (may || answer.status === 403), String(answer.status));
    await own.close();
  }
  await context.close();
}

async function keyboard(browser, world) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await logIn(world, context);
  await page.goto(`${world.url}/dashboard/requests`);
  const reached = new Set();
  let invisible = '';
  const all = await page.$$eval('a[href], button, input:not([type=hidden]), summary, [tabindex="0"]', (els) => els.filter((el) => el.checkVisibility({ visibilityProperty: true }) && !el.closest('dialog')).length);
  for (let n = 0; n < all + 5; n++) {
    await page.keyboard.press('Tab');
    const focus = await page.evaluate(() => {
      const el = document.activeElement;
      const style = getComputedStyle(el);
      const all = [...document.querySelectorAll('*')];
      return { place: all.indexOf(el), body: el === document.body, outline: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0, what: el.outerHTML.slice(0, 80) };
    });
    if (focus.body) continue;
    reached.add(focus.place);
    if (!focus.outline) invisible = focus.what;
  }
  check('the keyboard reaches every control', reached.size >= all, `${reached.size} of ${all}`);
  check('focus is always visible', invisible === '', invisible);
  await page.goto(`${world.url}/dashboard`);
  await page.keyboard.press('t');
  check('t opens the range', await page.$eval('#range', (menu) => menu.open));
  await page.keyboard.press('Escape');
  check('Esc closes it', !(await page.$eval('#range', (menu) => menu.open)));
  await page.keyboard.press('?');
  check('? lists the keys', await page.$eval('#keys', (dialog) => dialog.open));
  await page.keyboard.press('Escape');
  await page.keyboard.press('g');
  await Promise.all([page.waitForURL(/limits/), page.keyboard.press('l')]);
  await page.goto(`${world.url}/dashboard`);
  await page.focus('.plot');
  await page.keyboard.press('ArrowRight');
  check('a chart is read out by keys', (await page.textContent('.readout')).includes('answered'));
  await context.close();
}

async function live(browser, world) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await logIn(world, context);
  await page.goto(`${world.url}/dashboard/limits`);
  await page.waitForFunction(() => document.querySelector('#live').textContent.includes('live'));
  await page.focus('.rail a[href="/dashboard/runs"]');
  await world.ask('chat', 'words=5');
  await page.waitForFunction(() => [...document.querySelectorAll('.limit')].some((row) => row.textContent.includes('gpt-5-mini') && !row.textContent.includes('peak 0')));
  check('focus stays where it was', await page.evaluate(() => document.activeElement.getAttribute('href') === '/dashboard/runs'));
  // What is newer is counted, and comes when it is asked for.
  await page.goto(`${world.url}/dashboard/requests?range=15m`);
  await page.waitForFunction(() => document.querySelector('#live').textContent.includes('live'));
  const first = await page.getAttribute('.requests tbody a', 'href');
  await world.ask('chat', 'words=6');
  await page.waitForSelector('#newer');
  check('what is newer is told', /^1 newer, press \. to show$/.test((await page.textContent('#newer')).trim()), await page.textContent('#newer'));
  same('and moves no row', await page.getAttribute('.requests tbody a', 'href'), first);
  await Promise.all([page.waitForNavigation(), page.keyboard.press('.')]);
  check('a key shows it', (await page.getAttribute('.requests tbody a', 'href')) !== first);
  await page.goto(`${world.url}/dashboard/spend?range=7d`);
  await page.fill('.by-tag input[name=by]', 'team');
  await Promise.all([page.waitForNavigation(), page.click('.by-tag button')]);
  check('spend is told apart by a tag', (await page.textContent('#r-spend-table th')) === 'Tag' && page.url().includes('by=team'), page.url());
  // Eight tabs look, and the ninth still opens.
  const tabs = [];
  for (let n = 0; n < 8; n++) { const tab = await context.newPage(); await tab.goto(`${world.url}/dashboard?range=1h`); tabs.push(tab); }
  const ninth = await context.newPage();
  check('a ninth tab opens', (await ninth.goto(`${world.url}/dashboard/runs`)).status() === 200);
  await context.close();
}

async function hostile(browser, world) {
  const context = await browser.newContext({ viewport: { width: 390, height: 800 } });
  const page = await logIn(world, context);
  const said = listen(page);
  let dialogs = 0;
  page.on('dialog', (dialog) => { dialogs++; dialog.dismiss(); });
  const evil = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', '=1+1', 'a\u202eb\u200bc', 'm'.repeat(4_000)];
  for (const name of evil) {
    await world.ask(name, 'words=3');
    await world.ask('chat', 'words=3', { headers: { 'x-weir-run': encodeURIComponent(name).slice(0, 100), 'x-weir-tags': 'note=%3Cb%3E' } });
  }
  for (const path of ['/dashboard?range=15m', '/dashboard/requests?range=90d&key=%3Cscript%3Ealert(1)%3C%2Fscript%3E', '/dashboard/requests?range=15m&tag=note%3D%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E', '/dashboard/runs', '/dashboard/spend?by=%3Cscript%3E', '/dashboard/nothing<script>', `/dashboard/login?next=${encodeURIComponent('javascript:alert(1)')}`]) {
    await page.goto(world.url + path);
    check(`hostile ${path} makes no element`, (await page.$$('img, bdi script, main script, bdi b')).length === 0);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    check(`hostile ${path} does not scroll sideways`, wide <= 0, `${wide} px`);
    check(`hostile ${path} shows no bidi marks`, !/[\u202a-\u202e\u2066-\u2069\u200b]/.test(await page.textContent('body')));
  }
  const csv = await fetch(`${world.url}/dashboard/requests.csv?range=90d`, { headers: { cookie: (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ') } });
  const text = await csv.text();
  check('no cell of a CSV file is a formula', csv.status === 200 && !text.split('\r\n').slice(1).some((line) => line.split(',').some((cell) => /^"?[=+@-]/.test(cell))));
  check('no dialog opens', dialogs === 0);
  const real = said.filter((line) => !line.includes('status of 4'));
  check('hostile names say nothing in the console', real.length === 0, real.slice(0, 2).join(' | '));
  await context.close();
}

// How fast each page is: what a server takes, and what a browser on a processor a fourth as fast. Times are told and not judged; what is
// no time is.
async function speed(browser, world, label) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' });
  const page = await logIn(world, context);
  await page.addInitScript(() => {
    window.shifted = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => { window.shifted += entry.value; })).observe({ type: 'layout-shift', buffered: true });
  });
  const devtools = await context.newCDPSession(page);
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: 4 });
  const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
  const middle = (all, share) => all.sort((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * share))];
  for (const path of await pagesOf(world)) {
    const took = [];
    for (let n = 0; n < 20; n++) {
      const start = performance.now();
      await (await fetch(world.url + path, { headers: { cookie } })).arrayBuffer();
      took.push(performance.now() - start);
    }
    const seen = [];
    for (let n = 0; n < 3; n++) {
      await page.goto(world.url + path, { waitUntil: 'load' });
      await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0);
      seen.push(await page.evaluate(() => {
        const paint = performance.getEntriesByName('first-contentful-paint')[0].startTime;
        const before = performance.getEntriesByType('resource').filter((entry) => entry.startTime < paint && !entry.name.includes('/live')).length;
        return { paint, requests: before + 1, shift: window.shifted, bytes: performance.getEntriesByType('navigation')[0].encodedBodySize };
      }));
    }
    const worst = (name) => Math.max(...seen.map((one) => one[name]));
    const name = `${label} ${path.replace(/req_.*/, 'ID')}`;
    check(`${name} needs three requests to be painted`, worst('requests') <= 3, `${worst('requests')}`);
    check(`${name} stays where it is`, worst('shift') <= 0.02, `a layout shift of ${worst('shift').toFixed(3)}`);
    check(`${name} is small when it is packed`, worst('bytes') <= 25 * 1024, `${worst('bytes')} bytes`);
    speeds.push(`${name}: server p50 ${Math.round(middle(took, 0.5))} ms, p95 ${Math.round(middle(took, 0.95))} ms; first paint ${Math.round(middle(seen.map((one) => one.paint), 0.5))} ms, ${worst('requests')} requests, ${Math.round(worst('bytes') / 1024)} kB packed, shift ${worst('shift').toFixed(3)}`);
  }
  await context.close();
}

const speeds = [];
const began = Date.now();
const browser = await browse();
const worlds = [];
const world = async (options) => { const one = await World.start(options); worlds.push(one); return one; };
try {
  const filled = await world({ rows });
  const call = { type: 'function', function: { name: 'search_docs', arguments: '{}' } };
  const turns = [];
  for (let turn = 0; turn < 6; turn++) {
    await filled.ask('smart', '', { headers: { 'x-weir-run': 'run_42' }, body: { messages: [{ role: 'user', content: 'find it' }, ...turns] } });
    turns.push({ role: 'assistant', content: null, tool_calls: [{ ...call, id: `c${turn}` }] }, { role: 'tool', tool_call_id: `c${turn}`, content: 'nothing' });
  }
  for (let n = 0; n < 5; n++) await filled.ask('smart', 'words=9');
  if (process.argv.includes('--speed')) await speed(browser, filled, 'filled');
  await people(browser, filled);
  await figures(browser, filled, 'filled');
  await desk(browser, filled, 'filled');
  await walk(browser, filled, 'filled');
  await keyboard(browser, filled);
  await live(browser, filled);
  await hostile(browser, filled);
  const empty = await world({ bare: true, keyless: true, timezone: 'Asia/Kolkata' });
  await walk(browser, empty, 'empty');
  await figures(browser, await world({ rows: 3_000, timezone: 'Asia/Kolkata' }), 'in Kolkata');
} catch (error) {
  faults.push(error.stack);
  console.log(error.stack);
} finally {
  await browser.close();
  for (const one of worlds) await one.stop();
}
for (const line of speeds) console.log(line);
for (const [page, size] of sizes) console.log(`${page}: ${size}`);
console.log(`${checks} checks over ${rows} requests in ${Math.round((Date.now() - began) / 1000)} s: ${faults.length ? `${faults.length} FAILED` : 'all passed'}`);
process.exit(faults.length ? 1 : 0);
