"""Anthropic's Python SDK: messages, whole and streamed, on a provider of each dialect."""

import asyncio
import base64
import json

import anthropic
import pydantic
import pytest
from harness import LIMITED_KEY, MAIN_KEY, eventually

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 40).decode()
PDF = base64.b64encode(b"%PDF-1.4\n%%EOF\n").decode()
WEATHER = {
    "name": "weather",
    "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CLOCK = {"name": "clock", "input_schema": {"type": "object", "properties": {"zone": {"type": "string"}}}}
VERSIONS = ["2023-06-01", "2026-10-21"]


def user(content):
    return [{"role": "user", "content": content}]


def echo(text):
    return user(f"echo {text}")


def create(client, model, messages, **more):
    return client.messages.create(model=model, max_tokens=more.pop("max_tokens", 2000), messages=messages, **more)


def test_a_message_answers_whole(ant, route):
    answer = create(ant, route, echo("naïve 水 🌊 floods"))
    assert [block.text for block in answer.content] == ["naïve 水 🌊 floods"]
    assert (answer.role, answer.type, answer.stop_reason, answer.model) == ("assistant", "message", "end_turn", "fast")
    assert answer.id.startswith("msg_") and answer._request_id
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0


def test_a_message_streams_the_same_words_with_the_helper(ant, route):
    messages = user("tell words=40")
    whole = create(ant, route, messages)
    with ant.messages.stream(model=route, max_tokens=2000, messages=messages) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole.content[0].text == final.content[0].text
    assert (final.stop_reason, final.model) == ("end_turn", "fast")
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.usage.input_tokens == whole.usage.input_tokens


def test_raw_events_come_in_their_order(ant, route):
    kinds = [e.type for e in create(ant, route, echo("one two three"), stream=True) if e.type != "ping"]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}


def test_system_prompts_reach_the_provider(world, ant, route):
    parts = [{"type": "text", "text": "You are a weir.", "cache_control": {"type": "ephemeral"}}]
    for system in ("You are a weir.", parts):
        assert create(ant, route, echo("yes"), system=system).content[0].text == "yes"
        seen = world.mock_of(route).last()["json"]
        said = seen["messages"][0] if route == "smart" else seen["system"]
        assert "You are a weir." in json.dumps(said)


def test_stop_sequences_and_limits_end_an_answer(ant, route):
    stopped = create(ant, route, echo("one two three"), stop_sequences=["two"])
    assert stopped.content[0].text.strip() == "one"
    if route == "claude":
        assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "two")
    assert create(ant, route, user("words=50"), max_tokens=5).stop_reason == "max_tokens"


def test_a_tool_is_called_and_its_result_is_read(ant, route):
    messages = user("use a tool")
    first = create(ant, route, messages, tools=[WEATHER])
    assert first.stop_reason == "tool_use"
    [call] = [block for block in first.content if block.type == "tool_use"]
    assert call.name == "weather" and "city" in call.input
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "rain, 9 °C"}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = create(ant, route, messages, tools=[WEATHER])
    assert second.content[0].text == "The tool said: rain, 9 °C" and second.stop_reason == "end_turn"


def test_tool_choice_is_kept(ant, route):
    tools = [WEATHER, CLOCK]
    calls = lambda choice, text="hello": [
        block.name for block in create(ant, route, user(text), tools=tools, tool_choice=choice).content if block.type == "tool_use"
    ]
    assert calls({"type": "any"}) == ["weather"]
    assert calls({"type": "tool", "name": "clock"}) == ["clock"]
    assert calls({"type": "none"}, "a tool, please") == []
    assert calls({"type": "auto"}, "tools twice") == ["weather", "clock"]
    assert len(calls({"type": "auto", "disable_parallel_tool_use": True}, "tools twice")) == 1


def test_streamed_inputs_join_to_json(ant, route):
    fragments = 0
    with ant.messages.stream(model=route, max_tokens=2000, messages=user("tools twice"), tools=[WEATHER, CLOCK]) as stream:
        for event in stream:
            fragments += event.type == "input_json"
        final = stream.get_final_message()
    calls = [block for block in final.content if block.type == "tool_use"]
    assert [c.name for c in calls] == ["weather", "clock"] and all(isinstance(c.input, dict) for c in calls)
    assert fragments > 4, "fragments, not one piece"
    assert final.stop_reason == "tool_use"


def test_images_and_documents_are_sent_on(world, ant, route):
    image = lambda source: {"type": "image", "source": source}
    content = [
        image({"type": "base64", "media_type": "image/png", "data": PNG}),
        image({"type": "url", "url": "https://example.com/river.png"}),
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}, "title": "a.pdf"},
        {"type": "text", "text": "what is this?"},
    ]
    assert create(ant, route, user(content)).content[0].text.startswith("I see 2 images.")
    seen = world.mock_of(route).last()["body"]
    assert PDF in seen and PNG in seen and "https://example.com/river.png" in seen


class Forecast(pydantic.BaseModel):
    city: str
    days: int


def test_structured_output_parses_into_the_callers_type(ant, route):
    answer = ant.messages.parse(model=route, max_tokens=2000, messages=user("forecast"), output_format=Forecast)
    assert isinstance(answer.parsed_output, Forecast)


def test_thinking_comes_signed_from_its_own_provider_and_can_go_back(ant):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    messages = user("use a tool")
    with ant.messages.stream(model="claude", max_tokens=4000, messages=messages, thinking=thinking, tools=[WEATHER]) as stream:
        first = stream.get_final_message()
    assert [block.type for block in first.content] == ["thinking", "tool_use"]
    assert first.content[0].signature and first.content[0].thinking.startswith("The answer follows")
    result = {"type": "tool_result", "tool_use_id": first.content[1].id, "content": "rain"}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = create(ant, "claude", messages, thinking=thinking, tools=[WEATHER], max_tokens=4000)
    assert second.content[-1].text == "The tool said: rain"


def test_thinking_stays_with_the_provider_that_signed_it(world, ant):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    first = create(ant, "claude", user("hi"), thinking=thinking, max_tokens=4000)
    messages = [*user("hi"), {"role": "assistant", "content": first.content}, *echo("over there")]
    raw = ant.messages.with_raw_response.create(model="smart", max_tokens=2000, messages=messages)
    assert raw.parse().content[0].text == "over there"
    assert "dropped:reasoning" in raw.headers["x-weir-degraded"].split(",")
    assert "signature" not in world.openai.last()["body"]


@pytest.mark.parametrize("version", VERSIONS)
def test_both_api_versions_are_spoken(world, route, version):
    headers = {"anthropic-version": version}
    with anthropic.Anthropic(base_url=world.weir.url, api_key=MAIN_KEY, default_headers=headers) as client:
        assert create(client, route, echo("hi")).content[0].text == "hi"
        if route == "claude":
            assert world.anthropic.last()["headers"]["anthropic-version"] == version
        if version == "2023-06-01":
            assert create(client, route, echo("hi"), extra_body={"temperature": 0.5}).content[0].text == "hi"


def test_a_key_goes_as_x_api_key_or_as_bearer(world):
    for how in ({"api_key": MAIN_KEY}, {"auth_token": MAIN_KEY}, {"api_key": "none", "default_headers": {"x-api-key": MAIN_KEY}}):
        with anthropic.Anthropic(base_url=world.weir.url, **how) as client:
            assert create(client, "claude", echo("hi")).content[0].text == "hi"


def test_tokens_are_counted_by_the_provider_or_estimated(world, ant):
    counts = world.anthropic.stats()["by_path"].get("/v1/messages/count_tokens", 0)
    native = ant.messages.count_tokens(model="claude", messages=user("how many tokens are there in this?"))
    assert native.input_tokens > 0
    assert world.anthropic.stats()["by_path"]["/v1/messages/count_tokens"] == counts + 1
    estimated = ant.messages.count_tokens(model="openai/fast", messages=user("how many tokens are there in this?"))
    assert 0 < estimated.input_tokens < 100
    longer = ant.messages.count_tokens(model="openai/fast", messages=user("how many tokens are there in this? " * 20))
    assert longer.input_tokens > estimated.input_tokens


def test_betas_reach_the_provider_and_are_no_error_where_there_are_none(world, ant, route):
    betas = {"betas": ["tides-2026-01-01"], "extra_query": {"beta": "true"}}
    answer = ant.beta.messages.create(model=route, max_tokens=50, messages=echo("beta"), **betas)
    assert answer.content[0].text == "beta"
    seen = world.mock_of(route).last()
    if route == "claude":
        assert seen["path"] == "/v1/messages?beta=true" and seen["headers"]["anthropic-beta"] == "tides-2026-01-01"
    else:
        assert seen["path"] == "/v1/chat/completions" and "anthropic-beta" not in seen["headers"]


def test_fields_nobody_told_weir_of_reach_the_provider(world, ant):
    create(ant, "claude", echo("hi"), extra_body={"brand_new": {"deep": [1, None, "→"]}})
    assert world.anthropic.last()["json"]["brand_new"] == {"deep": [1, None, "→"]}


def test_models_are_listed_and_retrieved_in_anthropics_shape(world, ant):
    models = list(ant.models.list())
    assert [m.id for m in models][:2] == ["claude", "smart"] and models[0].type == "model" and models[0].display_name
    assert ant.models.retrieve("claude").id == "claude"
    with anthropic.Anthropic(base_url=world.weir.url, api_key=LIMITED_KEY) as limited:
        assert [m.id for m in limited.models.list()] == ["smart"]


def test_fifty_at_once_get_each_its_own_answer(world, route):
    async def all_of_them():
        async with anthropic.AsyncAnthropic(base_url=world.weir.url, api_key=MAIN_KEY) as client:

            async def one(n):
                messages = echo(f"number {n}")
                if n % 2:
                    return (await client.messages.create(model=route, max_tokens=50, messages=messages)).content[0].text
                async with client.messages.stream(model=route, max_tokens=50, messages=messages) as stream:
                    return await stream.get_final_text()

            return await asyncio.gather(*(one(n) for n in range(50)))

    assert asyncio.run(all_of_them()) == [f"number {n}" for n in range(50)]


def test_leaving_a_stream_cancels_the_call_upstream(world, ant, route):
    mock = world.mock_of(route)
    mock.post("profile", tokens_per_second=20)
    try:
        before = mock.stats()["cancelled"]
        with ant.messages.stream(model=route, max_tokens=4000, messages=user("words=2000")) as stream:
            next(iter(stream.text_stream))
        eventually(lambda: mock.stats()["cancelled"] == before + 1, "the mock sees that its client left")
        assert mock.stats()["in_flight"] == 0
    finally:
        mock.post("profile", tokens_per_second=0)
