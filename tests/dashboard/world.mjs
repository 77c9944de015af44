// A gateway with a mock behind it and, where wanted, a ledger with a story in it; and a browser to look at it with.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const target = process.env.WEIR_TARGET ?? new URL('../../target/debug', import.meta.url).pathname;
export const ADMIN = 'weir_admin_0123456789abcdef';
export const VIEWER = 'weir_viewer_0123456789abcdef';
export const OPERATOR = 'weir_operator_0123456789abcd';
const BOT = 'weir_bot_0123456789abcdefgh';
const environment = { PATH: process.env.PATH, HOME: tmpdir(), ADMIN, VIEWER, OPERATOR, BOT };

// Starts a program and waits until it says where it listens.
const listening = (program, options, folder, pattern) => new Promise((resolve, reject) => {
  const child = spawn(join(target, program), options, { cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = [];
  const timer = setTimeout(() => reject(new Error(`${program} ${options[0]} does not say where it listens:\n${said.join('\n')}`)), 30_000);
  const read = (line) => {
    said.push(line);
    const found = pattern.exec(line);
    if (found) { clearTimeout(timer); resolve({ child, address: found[1], said }); }
  };
  createInterface(child.stdout).on('line', read);
  createInterface(child.stderr).on('line', read);
  child.on('exit', () => { clearTimeout(timer); reject(new Error(`${program} ended:\n${said.join('\n')}`)); });
});

const config = (mock, more) => `
[server]
listen = "127.0.0.1:0"
${more.keyless ? '' : 'admin-key = { env = "ADMIN" }'}
${more.timezone ? `timezone = "${more.timezone}"` : ''}
${more.keyless ? '' : `
[admins.ann]
key = { env = "VIEWER" }
role = "viewer"
[admins.olga]
key = { env = "OPERATOR" }
role = "operator"`}
[ledger]
url = "sqlite:weir.db"
retention = "400d"
${more.bare ? `
[providers.mock]
kind = "mock"
base-url = "${mock}"
` : `
[providers.openai]
kind = "mock"
base-url = "${mock}"
[providers.openai.models."gpt-5.2"]
pool = "gpt-5"
price = { input = 1.75, output = 14.0 }
[providers.openai.models."gpt-5-mini"]
limits = { requests-per-minute = 1_000, requests-per-day = 40_000 }
price = { input = 0.25, output = 2.0 }
[pools.gpt-5]
limits = { input-tokens-per-minute = 12_000, requests-per-minute = 120, concurrent-requests = 40 }
[providers.anthropic]
kind = "mock"
base-url = "${mock}"
limits = { output-tokens-per-minute = 40_000 }
[providers.anthropic.models."claude-sonnet-5.5"]
price = { input = 3.0, output = 15.0 }
[routes.smart]
deployments = ["openai/gpt-5.2", "anthropic/claude-sonnet-5.5"]
[routes.chat]
deployments = ["openai/gpt-5-mini", "anthropic/claude-sonnet-5.5"]
[budgets.team-a]
limit = "${more.rows > 100_000 ? 200_000 : 2_000}.00"
period = "month"
[budgets.science]
limit = "40.00"
period = "day"
tag = "team=science"
[tenants.team-a]
budgets = ["team-a"]
[tenants.acme]
[keys.checkout-bot]
key = { env = "BOT" }
tenant = "team-a"
routes = ["smart", "chat"]
limits = { requests-per-minute = 600 }
[keys.research]
key-hash = "${'5'.repeat(64)}"
tenant = "acme"
priority = "batch"
[runs]
loops = "halt"
`}`;

export class World {
  static async start({ rows = 0, keyless = false, bare = false, timezone = '' } = {}) {
    const world = new World();
    world.folder = mkdtempSync(join(tmpdir(), 'weir-dashboard-'));
    world.keyless = keyless;
    world.bare = bare;
    if (rows > 0) {
      const told = spawnSync(join(target, 'examples/story'), [join(world.folder, 'weir.db'), String(rows)], { encoding: 'utf8' });
      if (told.status !== 0) throw new Error(`the story was not told: ${told.stderr}`);
    }
    world.mock = await listening('weir', ['mock', '--listen', '127.0.0.1:0'], world.folder, /(http:\/\/127\.0\.0\.1:\d+)/);
    writeFileSync(join(world.folder, 'weir.toml'), config(world.mock.address, { rows, keyless, bare, timezone }));
    world.weir = await listening('weir', ['serve', '--config', 'weir.toml'], world.folder, /address=(127\.0\.0\.1:\d+)/);
    world.url = `http://${world.weir.address}`;
    return world;
  }

  async admin(path, key = ADMIN) {
    const answer = await fetch(this.url + path, { headers: this.keyless ? {} : { authorization: `Bearer ${key}` } });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  // Asks a model; what becomes of it is in the answer's status.
  async ask(model, words, more = {}) {
    const key = this.bare ? {} : { authorization: `Bearer ${BOT}` };
    const body = { model, messages: [{ role: 'user', content: words }], ...more.body };
    const answer = await fetch(`${this.url}/v1/chat/completions`, {
      method: 'POST', headers: { 'content-type': 'application/json', ...key, ...more.headers }, body: JSON.stringify(body),
    });
    await answer.text();
    return answer.status;
  }

  // Waits until something is so; what comes by itself within seconds.
  async until(is) {
    for (let tries = 0; tries < 300; tries++) {
      if (await is()) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`it did not come: ${is}`);
  }

  async stop() {
    for (const { child } of [this.weir, this.mock]) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const browsers = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

// A browser with a profile of its own, that asks nobody anything.
export const browse = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? browsers.find((path) => existsSync(path)),
  args: ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

// Logs in, in a context of its own.
export const logIn = async (world, context, key = ADMIN) => {
  const page = await context.newPage();
  if (!world.keyless) {
    await page.goto(`${world.url}/dashboard/login`);
    await page.fill('input[name=key]', key);
    await Promise.all([page.waitForURL(/\/dashboard$/), page.click('button.main')]);
  }
  return page;
};
