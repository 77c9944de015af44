// Anthropic's Node SDK, unmodified, through the real binary, on a provider of each dialect.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LIMITED_KEY, MAIN_KEY, WRONG_KEY, eventually, installed, refusal, world } from './harness.js';

const sdk = await installed('@anthropic-ai/sdk');
const Anthropic = sdk.default;

const PNG = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(40)]).toString('base64');
const PDF = Buffer.from('%PDF-1.4\n%%EOF\n').toString('base64');
const weather = { name: 'weather', input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } };
const clock = { name: 'clock', input_schema: { type: 'object', properties: { zone: { type: 'string' } } } };
const user = (content) => [{ role: 'user', content }];
const HI = user('words=12');

let all, client;
before(async () => {
  all = await world();
  client = make(MAIN_KEY);
});
after(() => all?.stop());

const make = (apiKey, more = {}) => new Anthropic({ baseURL: all.weir.url, apiKey, ...more });
const ask = (model, messages, more = {}) => ({ model, max_tokens: 2000, messages, ...more });
const create = (model, messages, more, options) => client.messages.create(ask(model, messages, more), options);
const calls = (message) => message.content.filter((block) => block.type === 'tool_use');

for (const route of ['smart', 'claude']) {
  describe(`through ${route}`, () => {
    test('a message answers, whole and streamed alike', async () => {
      const whole = await create(route, user('echo naïve 水 🌊 floods'));
      assert.equal(whole.content[0].text, 'naïve 水 🌊 floods');
      assert.deepEqual([whole.stop_reason, whole.model, whole.role], ['end_turn', 'fast', 'assistant']);
      assert.ok(whole._request_id && whole.usage.output_tokens > 0);
      const streamed = await client.messages.stream(ask(route, user('echo naïve 水 🌊 floods'))).finalMessage();
      assert.deepEqual(streamed.content[0].text, whole.content[0].text);
      assert.deepEqual(streamed.usage.output_tokens, whole.usage.output_tokens);
    });

    test('tools are called, also streamed, and their results are read', async () => {
      const messages = user('tools twice');
      const message = await client.messages.stream(ask(route, messages, { tools: [weather, clock] })).finalMessage();
      assert.equal(message.stop_reason, 'tool_use');
      assert.deepEqual(calls(message).map((call) => call.name), ['weather', 'clock']);
      const content = calls(message).map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: 'rain, 9 °C' }));
      const turns = [...messages, { role: 'assistant', content: message.content }, { role: 'user', content }];
      const answer = await create(route, turns, { tools: [weather, clock] });
      assert.equal(answer.content[0].text, 'The tool said: rain, 9 °C');
      for (const [tool_choice, names] of [
        [{ type: 'any' }, ['weather']],
        [{ type: 'tool', name: 'clock' }, ['clock']],
        [{ type: 'none' }, []],
      ]) {
        const chosen = await create(route, user('a tool, please'), { tools: [weather, clock], tool_choice });
        assert.deepEqual(calls(chosen).map((call) => call.name), names);
      }
    });

    test('system, images, documents and stop sequences reach the provider', async () => {
      const content = [
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
        { type: 'image', source: { type: 'url', url: 'https://example.com/river.png' } },
        { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: PDF } },
        { type: 'text', text: 'what is this?' },
      ];
      const answer = await create(route, user(content), { system: 'You are a weir.', stop_sequences: ['never'] });
      assert.match(answer.content[0].text, /^I see 2 images\./);
      const { body } = await all.mockOf(route).last();
      for (const part of ['You are a weir.', PNG, PDF, 'https://example.com/river.png', 'never']) assert.ok(body.includes(part), part);
    });

    test('fifty at once get each its own answer', async () => {
      const one = async (n) => {
        const messages = user(`echo number ${n}`);
        const message = n % 2 ? await create(route, messages) : await client.messages.stream(ask(route, messages)).finalMessage();
        return message.content[0].text;
      };
      const numbers = Array.from({ length: 50 }, (_, n) => n);
      assert.deepEqual(await Promise.all(numbers.map(one)), numbers.map((n) => `number ${n}`));
    });

    test('aborting a stream cancels it upstream', async () => {
      const mock = all.mockOf(route);
      const { cancelled } = await mock.stats();
      await mock.post('profile', { tokens_per_second: 20 });
      try {
        const stream = await create(route, user('words=2000'), { stream: true });
        for await (const event of stream) if (event.type === 'content_block_delta') break;
        await eventually(async () => (await mock.stats()).cancelled === cancelled + 1, 'the stream is cancelled');
      } finally {
        await mock.post('profile', { tokens_per_second: 0 });
      }
    });

    test('both API versions are spoken', async () => {
      for (const version of ['2023-06-01', '2026-10-21']) {
        const spoken = make(MAIN_KEY, { defaultHeaders: { 'anthropic-version': version } });
        assert.equal((await spoken.messages.create(ask(route, user('echo hi')))).content[0].text, 'hi');
        if (route === 'claude') assert.equal((await all.anthropic.last()).headers['anthropic-version'], version);
      }
    });
  });
}

test('thinking comes signed from its own provider and can go back', async () => {
  const thinking = { type: 'enabled', budget_tokens: 1024 };
  const first = await client.messages.stream(ask('claude', HI, { thinking })).finalMessage();
  assert.deepEqual(first.content.map((block) => block.type), ['thinking', 'text']);
  const turns = [...HI, { role: 'assistant', content: first.content }, ...user('echo again')];
  assert.equal((await create('claude', turns, { thinking })).content.at(-1).text, 'again');
  assert.equal((await create('smart', turns)).content.at(-1).text, 'again');
});

test('tokens are counted by the provider or estimated', async () => {
  for (const model of ['claude', 'openai/fast']) {
    const { input_tokens } = await client.messages.countTokens({ model, messages: user('how many tokens are there in this?') });
    assert.ok(input_tokens > 0 && input_tokens < 100, model);
  }
});

test('betas, queries and unknown fields reach the provider', async () => {
  const more = { betas: ['tides-2026-01-01'], brand_new: { deep: [1, null] } };
  await client.beta.messages.create(ask('claude', user('echo hi'), more), { query: { beta: 'true' } });
  const seen = await all.anthropic.last();
  assert.equal(seen.path, '/v1/messages?beta=true');
  assert.equal(seen.headers['anthropic-beta'], 'tides-2026-01-01');
  assert.deepEqual(seen.json.brand_new, { deep: [1, null] });
});

test('models are listed and retrieved', async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.deepEqual(ids.slice(0, 2), ['claude', 'smart']);
  assert.equal((await client.models.retrieve('claude')).type, 'model');
});

test('each refusal is its own error type', async () => {
  const once = make(MAIN_KEY, { maxRetries: 0 });
  const deadline = { headers: { 'x-weir-deadline': '400ms' } };
  const rows = [
    [make(WRONG_KEY), 'claude', sdk.AuthenticationError, 401, 'authentication_error'],
    [make(LIMITED_KEY), 'claude', sdk.PermissionDeniedError, 403, 'permission_error'],
    [client, 'nothing', sdk.NotFoundError, 404, 'not_found_error'],
    [client, 'openai/missing', sdk.NotFoundError, 404, 'not_found_error'],
    [client, 'openai/fast!context', sdk.BadRequestError, 400, 'invalid_request_error'],
    [client, 'anthropic/fast!context', sdk.BadRequestError, 400, 'invalid_request_error'],
    [once, 'openai/fast!429:7', sdk.RateLimitError, 429, 'rate_limit_error'],
    [once, 'anthropic/fast!429:7', sdk.RateLimitError, 429, 'rate_limit_error'],
    [client, 'openai/fast!500', sdk.InternalServerError, 502, 'api_error'],
    [client, 'anthropic/fast!500', sdk.InternalServerError, 502, 'api_error'],
    [once, 'anthropic/fast!529', sdk.ServiceUnavailableError, 503, 'overloaded_error'],
    [client, 'openai/fast!silence', sdk.GatewayTimeoutError, 504, 'timeout_error', deadline],
  ];
  for (const [from, model, kind, status, type, options] of rows) {
    const error = await refusal(from.messages.create(ask(model, HI), options), kind);
    assert.deepEqual([error.status, error.error.error.type], [status, type], model);
    assert.ok(error.requestID, model);
    assert.equal(error.headers.get('x-should-retry'), [429, 503].includes(status) ? 'true' : 'false', model);
  }
});

test('a stream that breaks ends in an error', async () => {
  for (const model of ['openai/fast!cut:3', 'anthropic/fast!cut:3', 'openai/fast!error-in-stream:3', 'anthropic/fast!error-in-stream:3']) {
    await assert.rejects(client.messages.stream(ask(model, HI)).finalMessage(), sdk.APIError, model);
  }
});
