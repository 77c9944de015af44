// Starts the real binary and the mocks it talks to, and looks into them.
//
// Everything listens on a port that the system chose, and says so; nothing waits for a fixed time.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const binary = process.env.WEIR_BIN || join(here, '..', '..', '..', 'target', 'debug', 'weir');
const PATIENCE = 20_000;

export const MAIN_KEY = 'weir_main_0123456789abcdef0123456789';
export const LIMITED_KEY = 'weir_limited_0123456789abcdef012345';
export const WRONG_KEY = 'weir_wrong_0123456789abcdef01234567';
const SECRETS = {
  MAIN_KEY,
  LIMITED_KEY,
  WEIR_ADMIN_KEY: 'weir_admin_0123456789abcdef01234567',
  UPSTREAM_OPENAI: 'sk-upstream-openai-credential',
  UPSTREAM_ANTHROPIC: 'sk-ant-upstream-credential',
};

/** Imports a package that `npm ci` installs; without it a test fails, and says what to do. */
export async function installed(name) {
  try {
    return await import(name);
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new Error(`\`${name}\` is not installed here: \`npm ci --prefix tests/sdk/node\`, or run ./scripts/test`);
  }
}

/** The first true value that `read` gives. */
export async function eventually(read, what) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const value = await read();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${PATIENCE} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

/** A child whose words are kept, and which is ended by its own id. */
class Process {
  constructor(home, args, env = {}) {
    if (!existsSync(binary)) {
      throw new Error(`${binary} is not there: build it with \`cargo build -p weir\`, or run ./scripts/test`);
    }
    this.said = '';
    const clean = { PATH: process.env.PATH, HOME: home, XDG_STATE_HOME: join(home, 'state') };
    this.child = spawn(binary, args, { cwd: home, env: { ...clean, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.ended = new Promise((done) => this.child.once('close', done));
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', (text) => (this.said += text));
  }

  waitFor(pattern) {
    const found = () => {
      const match = pattern.exec(this.said);
      if (!match && this.child.exitCode !== null) throw new Error(`it ended before saying ${pattern}:\n${this.said}`);
      return match;
    };
    return eventually(found, `${pattern} in:\n${this.said}`);
  }

  async stop(signal) {
    this.child.kill(signal);
    const late = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE);
    await this.ended;
    clearTimeout(late);
  }
}

/** A provider that `weir mock` plays. */
class Mock extends Process {
  static async start(home, credential) {
    const mock = new Mock(home, ['mock', '--listen', '127.0.0.1:0', '--api-key', credential]);
    mock.url = (await mock.waitFor(/http:\/\/127\.0\.0\.1:\d+/))[0];
    return mock;
  }

  async get(path) {
    return (await fetch(`${this.url}/mock/${path}`)).json();
  }

  async post(path, body = {}) {
    return (await fetch(`${this.url}/mock/${path}`, { method: 'POST', body: JSON.stringify(body) })).json();
  }

  stats() {
    return this.get('stats');
  }

  /** The newest request: its headers, and its body as JSON. */
  async last() {
    const seen = (await this.get('log')).at(-1);
    return { ...seen, json: seen.body ? JSON.parse(seen.body) : null };
  }
}

/** A weir.toml with a provider of each dialect, a route that begins with each, and two keys. */
function config({ openai, anthropic, kind }) {
  return `
[server]
listen = "127.0.0.1:0"
admin-key = { env = "WEIR_ADMIN_KEY" }

[retry]
base = "5ms"
patience = "500ms"

[providers.openai]
kind = "${kind}"
base-url = "${openai}/v1"
api-key = { env = "UPSTREAM_OPENAI" }

[providers.anthropic]
kind = "anthropic"
base-url = "${anthropic}"
api-key = { env = "UPSTREAM_ANTHROPIC" }

[routes.smart]
deployments = ["openai/fast", "anthropic/fast"]

[routes.claude]
deployments = ["anthropic/fast", "openai/fast"]

[keys.main]
key = { env = "MAIN_KEY" }

[keys.limited]
key = { env = "LIMITED_KEY" }
routes = ["smart"]
`;
}

/** A gateway that is ready, with the given providers behind it. */
async function gateway(home, providers) {
  const file = join(home, 'weir.toml');
  writeFileSync(file, config(providers));
  const weir = new Process(home, ['serve', '--config', file], SECRETS);
  weir.url = `http://${(await weir.waitFor(/weir serves.*address=([\d.:]+)/))[1]}`;
  await eventually(async () => (await fetch(`${weir.url}/health/ready`)).ok, 'readiness');
  return weir;
}

/** A gateway with a mock of each dialect; `stop` ends all of it. */
export async function world() {
  const home = mkdtempSync(join(tmpdir(), 'weir-sdk-'));
  const openai = await Mock.start(home, SECRETS.UPSTREAM_OPENAI);
  const anthropic = await Mock.start(home, SECRETS.UPSTREAM_ANTHROPIC);
  const weir = await gateway(home, { openai: openai.url, anthropic: anthropic.url, kind: 'openai' });
  const stop = async () => {
    await weir.stop('SIGTERM');
    await Promise.all([openai.stop('SIGINT'), anthropic.stop('SIGINT')]);
    rmSync(home, { recursive: true });
  };
  return { weir, openai, anthropic, stop, mockOf: (route) => (route === 'smart' ? openai : anthropic) };
}

/** A gateway before a provider that speaks both dialects at `url`. */
export async function before(url) {
  const home = mkdtempSync(join(tmpdir(), 'weir-sdk-'));
  const weir = await gateway(home, { openai: url, anthropic: url, kind: 'openai-compatible' });
  const stop = async () => {
    await weir.stop('SIGTERM');
    rmSync(home, { recursive: true });
  };
  return { weir, stop };
}

/** The error that `promise` ends in. */
export async function refusal(promise, kind) {
  try {
    await promise;
  } catch (error) {
    if (error.constructor === kind) return error;
    throw new Error(`a ${kind.name} was expected, and this came: ${error.constructor.name} ${error.message}`, { cause: error });
  }
  throw new Error(`a ${kind.name} was expected, and it went well`);
}
