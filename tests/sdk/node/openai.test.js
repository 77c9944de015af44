// OpenAI's Node SDK, unmodified, through the real binary, on a provider of each dialect.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LIMITED_KEY, MAIN_KEY, WRONG_KEY, eventually, installed, refusal, world } from './harness.js';

const { default: OpenAI } = await installed('openai');
const { zodResponseFormat } = await installed('openai/helpers/zod');
const { z } = await installed('zod');

const PNG = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(40)]).toString('base64');
const PDF = Buffer.from('%PDF-1.4\n%%EOF\n').toString('base64');
const weather = {
  type: 'function',
  function: {
    name: 'weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};
const clock = { type: 'function', function: { name: 'clock', parameters: { type: 'object', properties: { zone: { type: 'string' } } } } };
const user = (content) => [{ role: 'user', content }];
const HI = user('words=12');

let all, client;
before(async () => {
  all = await world();
  client = make(MAIN_KEY);
});
after(() => all?.stop());

const make = (apiKey, more = {}) => new OpenAI({ baseURL: `${all.weir.url}/v1`, apiKey, ...more });
const create = (model, messages, more = {}, options) => client.chat.completions.create({ model, messages, ...more }, options);

async function said(stream) {
  let text = '';
  for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? '';
  return text;
}

for (const route of ['smart', 'claude']) {
  describe(`through ${route}`, () => {
    test('chat answers, whole and streamed alike', async () => {
      const whole = await create(route, user('echo naïve 水 🌊 floods'));
      assert.equal(whole.choices[0].message.content, 'naïve 水 🌊 floods');
      assert.equal(whole.choices[0].finish_reason, 'stop');
      assert.equal(whole.model, 'fast');
      assert.equal(await said(await create(route, user('echo naïve 水 🌊 floods'), { stream: true })), 'naïve 水 🌊 floods');
    });

    test('usage comes once in a stream that asked and never else', async () => {
      for (const asks of [true, false]) {
        const usages = [];
        const options = asks ? { stream_options: { include_usage: true } } : {};
        for await (const chunk of await create(route, HI, { stream: true, ...options })) {
          if (chunk.usage) usages.push(chunk);
          else assert.equal(chunk.choices.length, 1);
        }
        assert.equal(usages.length, asks ? 1 : 0);
        assert.ok(usages.every((chunk) => chunk.choices.length === 0 && chunk.usage.total_tokens > 0));
      }
    });

    test('tools are called, also streamed, and their results are read', async () => {
      const messages = user('tools twice');
      const stream = client.chat.completions.stream({ model: route, messages, tools: [weather, clock] });
      const { message, finish_reason } = (await stream.finalChatCompletion()).choices[0];
      assert.equal(finish_reason, 'tool_calls');
      assert.deepEqual(message.tool_calls.map((call) => call.function.name), ['weather', 'clock']);
      for (const call of message.tool_calls) assert.equal(typeof JSON.parse(call.function.arguments), 'object');
      const results = message.tool_calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: 'rain, 9 °C' }));
      const answer = await create(route, [...messages, message, ...results], { tools: [weather, clock] });
      assert.equal(answer.choices[0].message.content, 'The tool said: rain, 9 °C');
      const one = await create(route, messages, { tools: [weather, clock], parallel_tool_calls: false });
      assert.equal(one.choices[0].message.tool_calls.length, 1);
      const tool_choice = { type: 'function', function: { name: 'clock' } };
      const forced = await create(route, HI, { tools: [weather, clock], tool_choice });
      assert.equal(forced.choices[0].message.tool_calls[0].function.name, 'clock');
    });

    test("structured output parses by the caller's schema", async () => {
      const shape = z.object({ city: z.string(), days: z.number().int(), wet: z.boolean() });
      const response_format = zodResponseFormat(shape, 'forecast');
      const answer = await client.chat.completions.parse({ model: route, messages: user('forecast'), response_format });
      assert.ok(shape.safeParse(answer.choices[0].message.parsed).success);
    });

    test('instructions, images and documents reach the provider', async () => {
      const content = [
        { type: 'image_url', image_url: { url: 'https://example.com/river.png' } },
        { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } },
        { type: 'file', file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${PDF}` } },
        { type: 'text', text: 'what is this?' },
      ];
      const answer = await create(route, [{ role: 'developer', content: 'You are a weir.' }, { role: 'user', content }]);
      assert.match(answer.choices[0].message.content, /^I see 2 images\./);
      const { body } = await all.mockOf(route).last();
      for (const part of ['You are a weir.', PNG, PDF, 'https://example.com/river.png']) assert.ok(body.includes(part), part);
    });

    test('fifty at once get each its own answer', async () => {
      const one = async (n) => {
        const messages = user(`echo number ${n}`);
        if (n % 2) return (await create(route, messages)).choices[0].message.content;
        return said(await create(route, messages, { stream: true }));
      };
      const numbers = Array.from({ length: 50 }, (_, n) => n);
      assert.deepEqual(await Promise.all(numbers.map(one)), numbers.map((n) => `number ${n}`));
    });

    test('aborting a stream or a call cancels it upstream', async () => {
      const mock = all.mockOf(route);
      const { cancelled } = await mock.stats();
      await mock.post('profile', { tokens_per_second: 20 });
      try {
        const stream = await create(route, user('words=2000'), { stream: true });
        for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
        await eventually(async () => (await mock.stats()).cancelled === cancelled + 1, 'the stream is cancelled');
      } finally {
        await mock.post('profile', { tokens_per_second: 0 });
      }
      const controller = new AbortController();
      const provider = route === 'smart' ? 'openai' : 'anthropic';
      const call = refusal(create(`${provider}/fast!silence`, HI, {}, { signal: controller.signal }), OpenAI.APIUserAbortError);
      await eventually(async () => (await mock.stats()).in_flight === 1, 'the call is at the provider');
      controller.abort();
      await call;
      await eventually(async () => (await mock.stats()).cancelled === cancelled + 2, 'the call is cancelled');
    });
  });
}

test('embeddings come as the SDK asks for them by default, and as floats', async () => {
  const packed = await client.embeddings.create({ model: 'openai/embed', input: ['river', 'dam'] });
  assert.equal((await all.openai.last()).json.encoding_format, 'base64');
  const floats = await client.embeddings.create({ model: 'openai/embed', input: ['river', 'dam'], encoding_format: 'float' });
  assert.equal(packed.data[1].embedding.length, 256);
  packed.data[1].embedding.forEach((x, n) => assert.ok(Math.abs(x - floats.data[1].embedding[n]) < 1e-6));
});

test('models are listed and retrieved', async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.deepEqual(ids.slice(0, 2), ['claude', 'smart']);
  assert.equal((await client.models.retrieve('smart')).object, 'model');
});

test('legacy completions answer and stream', async () => {
  const ask = { model: 'smart', prompt: 'echo legacy', max_tokens: 9 };
  assert.equal((await client.completions.create(ask)).choices[0].text, 'legacy');
  let text = '';
  for await (const chunk of await client.completions.create({ ...ask, stream: true })) text += chunk.choices[0].text;
  assert.equal(text, 'legacy');
});

test('responses answer, stream, and are continued where they were made', async () => {
  const first = await client.responses.create({ model: 'smart', input: 'echo a response' });
  assert.equal(first.output_text, 'a response');
  const stream = client.responses.stream({ model: 'smart', input: 'echo more', previous_response_id: first.id });
  assert.equal((await stream.finalResponse()).output_text, 'more');
});

test('raw headers, unknown fields and queries pass', async () => {
  const ask = { model: 'smart', messages: user('echo hi'), brand_new: { deep: [1, null] } };
  const { response, data } = await client.chat.completions.create(ask, { query: { tide: 'high' } }).withResponse();
  assert.equal(response.headers.get('x-weir-deployment'), 'openai/fast');
  assert.equal(response.headers.get('x-weir-attempts'), '1');
  assert.equal(data._request_id, response.headers.get('x-request-id'));
  const seen = await all.openai.last();
  assert.deepEqual(seen.json.brand_new, { deep: [1, null] });
  assert.equal(seen.path, '/v1/chat/completions?tide=high');
});

test('each refusal is its own error type with its code', async () => {
  const once = { maxRetries: 0 };
  const deadline = { headers: { 'x-weir-deadline': '400ms' } };
  const rows = [
    [make(WRONG_KEY), 'smart', OpenAI.AuthenticationError, 401, 'invalid_api_key'],
    [make(LIMITED_KEY), 'claude', OpenAI.PermissionDeniedError, 403, 'route_not_allowed'],
    [client, 'nothing', OpenAI.NotFoundError, 404, 'model_not_found'],
    [client, 'openai/missing', OpenAI.NotFoundError, 404, 'model_not_found'],
    [client, 'anthropic/missing', OpenAI.NotFoundError, 404, 'model_not_found'],
    [client, 'openai/fast!context', OpenAI.BadRequestError, 400, 'context_length_exceeded'],
    [client, 'anthropic/fast!context', OpenAI.BadRequestError, 400, 'context_length_exceeded'],
    [make(MAIN_KEY, once), 'openai/fast!429:7', OpenAI.RateLimitError, 429, 'rate_limit_exceeded'],
    [make(MAIN_KEY, once), 'anthropic/fast!429:7', OpenAI.RateLimitError, 429, 'rate_limit_exceeded'],
    [client, 'openai/fast!500', OpenAI.InternalServerError, 502, 'upstream_error'],
    [client, 'anthropic/fast!500', OpenAI.InternalServerError, 502, 'upstream_error'],
    [make(MAIN_KEY, once), 'openai/fast!503', OpenAI.InternalServerError, 503, 'upstream_error'],
    [client, 'anthropic/fast!silence', OpenAI.InternalServerError, 504, 'upstream_timeout', deadline],
  ];
  for (const [from, model, kind, status, code, options] of rows) {
    const error = await refusal(from.chat.completions.create({ model, messages: HI }, options), kind);
    assert.deepEqual([error.status, error.code], [status, code], model);
    assert.ok(error.requestID, model);
    assert.equal(error.headers.get('x-should-retry'), [429, 503].includes(status) ? 'true' : 'false', model);
  }
});

test('the SDK repeats nothing that it is told not to', async () => {
  const { requests } = await all.openai.stats();
  const error = await refusal(create('openai/fast!502', HI), OpenAI.InternalServerError);
  assert.equal((await all.openai.stats()).requests - requests, Number(error.headers.get('x-weir-attempts')));
  assert.equal((await all.openai.last()).headers['x-stainless-retry-count'], '0');
});

test('a stream that breaks ends in an error', async () => {
  for (const model of ['openai/fast!cut:3', 'anthropic/fast!cut:3', 'openai/fast!error-in-stream:3', 'anthropic/fast!error-in-stream:3']) {
    await refusal(create(model, HI, { stream: true }).then(said), OpenAI.APIError);
  }
});
