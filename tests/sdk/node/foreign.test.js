// A provider mock by another hand (CopilotKit's aimock), behind the real binary: a gateway and a mock by one hand could agree
// on the same misreading of a format. It speaks both dialects, so each SDK meets it natively and translated.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MAIN_KEY, before as gatewayBefore, installed, refusal } from './harness.js';

const { LLMock } = await installed('@copilotkit/aimock');
const { default: OpenAI } = await installed('openai');
const { default: Anthropic } = await installed('@anthropic-ai/sdk');

const SAID = 'Water keeps its level — naïve 水 🌊, said the other mock.';
const PLACE = { city: 'Köln', days: 3 };
const parameters = { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } }, required: ['city'] };
const CHAOS = { dropped: { dropRate: 1 }, malformed: { malformedRate: 1 }, disconnected: { disconnectRate: 1 } };
const user = (content) => [{ role: 'user', content }];

let mock, all, openai, anthropic;
before(async () => {
  mock = new LLMock({ port: 0 });
  mock.addFixture({ match: { userMessage: 'weather', hasToolResult: false }, response: { toolCalls: [{ name: 'weather', arguments: JSON.stringify(PLACE) }] } });
  mock.addFixture({ match: { hasToolResult: true }, response: { content: 'It rains.' } });
  mock.addFixture({ match: { userMessage: 'fail' }, response: { error: { message: 'no more', type: 'rate_limit_error' }, status: 429 } });
  for (const [userMessage, chaos] of Object.entries(CHAOS)) {
    mock.addFixture({ match: { userMessage }, response: { content: SAID }, chaos });
  }
  mock.addFixture({ match: { userMessage: 'half' }, response: { content: SAID }, chunkSize: 4, truncateAfterChunks: 5, latency: 5 });
  mock.addFixture({ match: { userMessage: 'hello' }, response: { content: SAID } });
  await mock.start();
  all = await gatewayBefore(mock.url);
  openai = new OpenAI({ baseURL: `${all.weir.url}/v1`, apiKey: MAIN_KEY, maxRetries: 0 });
  anthropic = new Anthropic({ baseURL: all.weir.url, apiKey: MAIN_KEY, maxRetries: 0 });
});
after(async () => {
  await all?.stop();
  await mock?.stop();
});

for (const model of ['openai/fast', 'anthropic/fast']) {
  test(`OpenAI's SDK chats with ${model}, whole and streamed`, async () => {
    const ask = { model, messages: user('hello') };
    const whole = await openai.chat.completions.create(ask);
    assert.equal(whole.choices[0].message.content, SAID);
    assert.equal(whole.choices[0].finish_reason, 'stop');
    const stream_options = { include_usage: true };
    let text = '';
    const finishes = [];
    let usages = 0;
    for await (const chunk of await openai.chat.completions.create({ ...ask, stream: true, stream_options })) {
      text += chunk.choices[0]?.delta?.content ?? '';
      if (chunk.choices[0]?.finish_reason) finishes.push(chunk.choices[0].finish_reason);
      usages += chunk.usage ? 1 : 0;
    }
    assert.deepEqual([text, finishes, usages], [SAID, ['stop'], 1]);
  });

  test(`OpenAI's SDK uses tools of ${model}`, async () => {
    const tools = [{ type: 'function', function: { name: 'weather', parameters } }];
    const messages = user('the weather, please');
    const { choices } = await openai.chat.completions.stream({ model, messages, tools }).finalChatCompletion();
    const [call] = choices[0].message.tool_calls;
    assert.equal(choices[0].finish_reason, 'tool_calls');
    assert.deepEqual([call.function.name, JSON.parse(call.function.arguments)], ['weather', PLACE]);
    const result = { role: 'tool', tool_call_id: call.id, content: 'rain' };
    const answer = await openai.chat.completions.create({ model, messages: [...messages, choices[0].message, result], tools });
    assert.equal(answer.choices[0].message.content, 'It rains.');
  });

  test(`Anthropic's SDK talks to ${model}, whole and streamed`, async () => {
    const ask = { model, max_tokens: 500, messages: user('hello') };
    const whole = await anthropic.messages.create(ask);
    assert.deepEqual([whole.content[0].text, whole.stop_reason], [SAID, 'end_turn']);
    const streamed = await anthropic.messages.stream(ask).finalMessage();
    assert.deepEqual([streamed.content[0].text, streamed.stop_reason], [SAID, 'end_turn']);
  });

  test(`Anthropic's SDK uses tools of ${model}`, async () => {
    const tools = [{ name: 'weather', input_schema: parameters }];
    const messages = user('the weather, please');
    const first = await anthropic.messages.stream({ model, max_tokens: 500, messages, tools }).finalMessage();
    const call = first.content.find((block) => block.type === 'tool_use');
    assert.deepEqual([first.stop_reason, call.name, call.input], ['tool_use', 'weather', PLACE]);
    const content = [{ type: 'tool_result', tool_use_id: call.id, content: 'rain' }];
    const turns = [...messages, { role: 'assistant', content: first.content }, { role: 'user', content }];
    const answer = await anthropic.messages.create({ model, max_tokens: 500, messages: turns, tools });
    assert.equal(answer.content[0].text, 'It rains.');
  });

  test(`a rate limit of ${model} is each SDK's rate limit error`, async () => {
    const messages = user('fail');
    // A model each, since nobody asks a model again before the time that its provider named.
    await refusal(openai.chat.completions.create({ model: `${model}-1`, messages }), OpenAI.RateLimitError);
    const second = { model: `${model}-2`, max_tokens: 9, messages };
    await refusal(anthropic.messages.create(second), Anthropic.RateLimitError);
  });
}

test('embeddings and responses of the other mock come through', async () => {
  const embedding = await openai.embeddings.create({ model: 'openai/embed', input: 'river', encoding_format: 'float' });
  assert.ok(embedding.data[0].embedding.length > 0);
  const response = await openai.responses.create({ model: 'openai/fast', input: 'hello' });
  assert.equal(response.output_text, SAID);
  const stream = openai.responses.stream({ model: 'openai/fast', input: 'hello' });
  assert.equal((await stream.finalResponse()).output_text, SAID);
});

// Last, since they open breakers; each has a model of its own, so that one's breaker does not answer for another.
for (const provider of ['openai', 'anthropic']) {
  test(`a stream of ${provider} that is cut halfway ends in an error and never in a false stop`, async () => {
    const ask = { model: `${provider}/half`, messages: user('half'), stream: true };
    let text = '';
    await assert.rejects(async () => {
      for await (const chunk of await openai.chat.completions.create(ask)) {
        assert.ok(!chunk.choices[0]?.finish_reason, 'a false stop');
        text += chunk.choices[0]?.delta?.content ?? '';
      }
    }, OpenAI.APIError);
    assert.ok(text.length > 0 && SAID.startsWith(text), text);
    await assert.rejects(async () => {
      for await (const event of await anthropic.messages.create({ ...ask, max_tokens: 500 })) {
        assert.notEqual(event.type, 'message_stop', 'a false stop');
      }
    }, Anthropic.APIError);
  });

  for (const fault of ['dropped', 'malformed']) {
    test(`a ${fault} answer of ${provider} is one upstream error in each SDK`, async () => {
      for (const stream of [false, true]) {
        const model = `${provider}/${fault}-${stream}`;
        const messages = user(fault);
        const error = await refusal(openai.chat.completions.create({ model, messages, stream }), OpenAI.InternalServerError);
        assert.deepEqual([error.status, error.code, error.headers.get('x-weir-refused-by')], [502, 'upstream_error', provider]);
        await assert.rejects(anthropic.messages.create({ model, messages, stream, max_tokens: 9 }), Anthropic.InternalServerError);
      }
    });
  }
}

test('a model that hangs up on each call is an error each time, and costs the others nothing', async () => {
  for (const provider of ['openai', 'anthropic', 'openai', 'anthropic', 'openai', 'anthropic']) {
    const ask = { model: `${provider}/disconnected`, messages: user('disconnected') };
    const error = await refusal(openai.chat.completions.create(ask), OpenAI.InternalServerError);
    assert.ok(['upstream_error', 'no_deployment_available'].includes(error.code), error.code);
    await assert.rejects(anthropic.messages.create({ ...ask, max_tokens: 9 }), Anthropic.InternalServerError);
  }
  const answer = await openai.chat.completions.create({ model: 'openai/fast', messages: user('hello') });
  assert.equal(answer.choices[0].message.content, SAID);
});
