"""OpenAI's Python SDK: chat, whole and streamed, on a provider of each dialect."""

import asyncio
import base64
import json

import openai
import pydantic
import pytest
from harness import MAIN_KEY, eventually

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 40).decode()
PDF = base64.b64encode(b"%PDF-1.4\n%%EOF\n").decode()
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TIME = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}}}}


def user(text):
    return [{"role": "user", "content": text}]


def echo(text):
    return user(f"echo {text}")


def test_chat_answers_whole(oai, route):
    answer = oai.chat.completions.create(model=route, messages=echo("naïve 水 🌊 floods"))
    assert answer.choices[0].message.content == "naïve 水 🌊 floods"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.object == "chat.completion"
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == "fast", "the model that really served"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_chat_streams_the_same_words(oai, route):
    messages = user("tell words=40")
    whole = oai.chat.completions.create(model=route, messages=messages).choices[0].message.content
    chunks = list(oai.chat.completions.create(model=route, messages=messages, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == whole
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["stop"]
    assert len({c.id for c in chunks}) == 1
    assert all(c.object == "chat.completion.chunk" and c.model == "fast" for c in chunks)


def test_usage_comes_once_in_a_stream_that_asked_and_never_else(oai, route):
    create = oai.chat.completions.create
    asked = list(create(model=route, messages=echo("count me"), stream=True, stream_options={"include_usage": True}))
    usages = [c for c in asked if c.usage]
    assert len(usages) == 1 and usages[0] is asked[-1]
    assert usages[0].choices == [] and usages[0].usage.completion_tokens > 0
    unasked = list(create(model=route, messages=echo("count me"), stream=True))
    assert all(c.usage is None and c.choices for c in unasked)


def test_the_stream_helper_gives_the_final_completion(oai, route):
    with oai.chat.completions.stream(model=route, messages=echo("a stream with a helper")) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content == "a stream with a helper"


@pytest.mark.parametrize("role", ["system", "developer"])
def test_instructions_reach_the_provider(world, oai, route, role):
    messages = [{"role": role, "content": "You are a weir."}, *echo("yes")]
    assert oai.chat.completions.create(model=route, messages=messages).choices[0].message.content == "yes"
    seen = world.mock_of(route).last()["json"]
    said = seen["messages"][0]["content"] if route == "smart" else seen["system"]
    assert "You are a weir." in json.dumps(said)


def test_a_conversation_keeps_its_turns(oai, route):
    messages = [*user("hi"), {"role": "assistant", "content": "hello"}, *echo("again")]
    assert oai.chat.completions.create(model=route, messages=messages).choices[0].message.content == "again"


def test_limits_and_stops_end_an_answer_as_they_should(oai, route):
    create = oai.chat.completions.create
    cut = create(model=route, messages=user("words=50"), max_completion_tokens=5)
    assert cut.choices[0].finish_reason == "length"
    stopped = create(model=route, messages=echo("one two three"), stop=["two"])
    assert stopped.choices[0].message.content.strip() == "one"
    assert stopped.choices[0].finish_reason == "stop"


def test_a_tool_is_called_when_the_model_wants_and_its_result_is_read(oai, route):
    messages = user("use a tool")
    first = oai.chat.completions.create(model=route, messages=messages, tools=[WEATHER]).choices[0]
    assert first.finish_reason == "tool_calls"
    [call] = first.message.tool_calls
    assert call.function.name == "weather" and "city" in json.loads(call.function.arguments)
    messages += [first.message, {"role": "tool", "tool_call_id": call.id, "content": "rain, 9 °C"}]
    second = oai.chat.completions.create(model=route, messages=messages, tools=[WEATHER]).choices[0]
    assert second.message.content == "The tool said: rain, 9 °C"
    assert second.finish_reason == "stop"


def test_tool_choice_is_kept(oai, route):
    create = oai.chat.completions.create
    tools = [WEATHER, TIME]
    required = create(model=route, messages=user("hello"), tools=tools, tool_choice="required")
    assert required.choices[0].message.tool_calls[0].function.name == "weather"
    named = {"type": "function", "function": {"name": "clock"}}
    forced = create(model=route, messages=user("hello"), tools=tools, tool_choice=named)
    assert [c.function.name for c in forced.choices[0].message.tool_calls] == ["clock"]
    none = create(model=route, messages=user("a tool, please"), tools=tools, tool_choice="none")
    assert none.choices[0].message.tool_calls is None and none.choices[0].message.content


def test_parallel_calls_come_both_or_one(oai, route):
    create = oai.chat.completions.create
    both = create(model=route, messages=user("tools twice"), tools=[WEATHER, TIME]).choices[0].message.tool_calls
    assert [c.function.name for c in both] == ["weather", "clock"]
    assert both[0].id != both[1].id
    one = create(model=route, messages=user("tools twice"), tools=[WEATHER, TIME], parallel_tool_calls=False)
    assert len(one.choices[0].message.tool_calls) == 1


def test_streamed_arguments_join_to_json(oai, route):
    stream = oai.chat.completions.create(model=route, messages=user("tools twice"), tools=[WEATHER, TIME], stream=True)
    names, arguments, finish = {}, {}, None
    for chunk in stream:
        choice = chunk.choices[0]
        finish = choice.finish_reason or finish
        for part in choice.delta.tool_calls or []:
            if part.function.name:
                names[part.index] = part.function.name
                assert part.id
            arguments.setdefault(part.index, []).append(part.function.arguments or "")
    assert names == {0: "weather", 1: "clock"} and finish == "tool_calls"
    assert all(isinstance(json.loads("".join(parts)), dict) for parts in arguments.values())
    assert any(len(parts) > 2 for parts in arguments.values()), "fragments, not one piece"


def test_two_results_go_back_together(oai, route):
    messages = user("tools twice")
    message = oai.chat.completions.create(model=route, messages=messages, tools=[WEATHER, TIME]).choices[0].message
    results = [{"role": "tool", "tool_call_id": c.id, "content": f"from {c.function.name}"} for c in message.tool_calls]
    answer = oai.chat.completions.create(model=route, messages=[*messages, message, *results], tools=[WEATHER, TIME])
    assert answer.choices[0].message.content == "The tool said: from clock"


class Forecast(pydantic.BaseModel):
    city: str
    days: int
    wet: bool


def test_structured_output_parses_into_the_callers_type(oai, route):
    answer = oai.chat.completions.parse(model=route, messages=user("forecast"), response_format=Forecast)
    assert isinstance(answer.choices[0].message.parsed, Forecast)


def test_json_mode_answers_an_object(oai):
    format = {"type": "json_object"}
    answer = oai.chat.completions.create(model="smart", messages=user("json"), response_format=format)
    assert isinstance(json.loads(answer.choices[0].message.content), dict)


def test_images_are_seen(oai, route):
    url = {"type": "image_url", "image_url": {"url": "https://example.com/river.png"}}
    data = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    content = [{"type": "text", "text": "what is this?"}, url, data]
    answer = oai.chat.completions.create(model=route, messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content.startswith("I see 2 images.")


def test_documents_are_sent_on(world, oai, route):
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}
    content = [{"type": "text", "text": "echo read"}, file]
    answer = oai.chat.completions.create(model=route, messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content == "read"
    assert PDF in world.mock_of(route).last()["body"]


def test_reasoning_is_counted_and_streamed_on_either_provider(oai, route):
    answer = oai.chat.completions.create(model=route, messages=echo("thought"), reasoning_effort="low", max_completion_tokens=4000)
    assert answer.choices[0].message.content == "thought"
    if route == "claude":
        assert answer.choices[0].message.reasoning_content.startswith("The answer follows")


def test_fifty_at_once_get_each_its_own_answer(world, route):
    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=world.openai_url, api_key=MAIN_KEY) as client:

            async def one(n):
                if n % 2:
                    answer = await client.chat.completions.create(model=route, messages=echo(f"number {n}"))
                    return answer.choices[0].message.content
                stream = await client.chat.completions.create(model=route, messages=echo(f"number {n}"), stream=True)
                return "".join([c.choices[0].delta.content or "" async for c in stream])

            return await asyncio.gather(*(one(n) for n in range(50)))

    assert asyncio.run(all_of_them()) == [f"number {n}" for n in range(50)]


def test_closing_a_stream_cancels_the_call_upstream(world, oai, route):
    mock = world.mock_of(route)
    mock.post("profile", tokens_per_second=20)
    try:
        before = mock.stats()["cancelled"]
        with oai.chat.completions.with_raw_response.create(model=route, messages=user("words=2000"), stream=True).parse() as stream:
            for chunk in stream:
                if chunk.choices[0].delta.content:
                    break
        eventually(lambda: mock.stats()["cancelled"] == before + 1, "the mock sees that its client left")
        eventually(lambda: mock.stats()["in_flight"] == 0, "nothing runs on")
    finally:
        mock.post("profile", tokens_per_second=0)


def test_a_client_that_gives_up_waiting_cancels_the_call_upstream(world, route):
    mock = world.mock_of(route)
    provider = "openai" if route == "smart" else "anthropic"
    before = mock.stats()["cancelled"]
    with openai.OpenAI(base_url=world.openai_url, api_key=MAIN_KEY, max_retries=0) as client:
        with pytest.raises(openai.APITimeoutError):
            # A read timeout that only the client knows of: the header that tells it is taken away.
            client.chat.completions.create(
                model=f"{provider}/chat!silence",
                messages=user("hi"),
                timeout=0.5,
                extra_headers={"x-stainless-read-timeout": openai.Omit()},
            )
    eventually(lambda: mock.stats()["cancelled"] == before + 1, "the mock sees that its client left")
