"""OpenAI's Python SDK beyond chat: embeddings, models, completions, Responses, raw headers, fields that Weir never heard of."""

import asyncio
import base64
import struct

import openai
import pytest
from harness import LIMITED_KEY, MAIN_KEY, eventually

ECHO = [{"role": "user", "content": "echo hi"}]


def test_embeddings_come_as_the_sdk_asks_for_them_by_default(world, oai):
    answer = oai.embeddings.create(model="openai/embed", input=["river", "dam"])
    assert world.openai.last()["json"]["encoding_format"] == "base64", "what the SDK sends unasked"
    assert [e.index for e in answer.data] == [0, 1]
    assert len(answer.data[0].embedding) == 256 and isinstance(answer.data[0].embedding[0], float)
    assert answer.data[0].embedding != answer.data[1].embedding
    assert answer.usage.prompt_tokens > 0


def test_embeddings_are_the_same_as_floats_and_as_base64(oai):
    floats = oai.embeddings.create(model="openai/embed", input="river", encoding_format="float").data[0].embedding
    text = oai.embeddings.create(model="openai/embed", input="river", encoding_format="base64").data[0].embedding
    assert struct.unpack(f"<{len(floats)}f", base64.b64decode(text)) == pytest.approx(floats, rel=1e-6)


def test_embeddings_take_dimensions_and_tokens(oai):
    answer = oai.embeddings.create(model="openai/embed", input=[[1, 2, 3], [4]], dimensions=64)
    assert [len(e.embedding) for e in answer.data] == [64, 64]


def test_models_are_the_keys_routes_and_then_declared_ones(world, oai):
    assert [m.id for m in oai.models.list()] == ["claude", "smart", "anthropic/fast", "openai/embed", "openai/fast"]
    with openai.OpenAI(base_url=world.openai_url, api_key=LIMITED_KEY) as limited:
        assert [m.id for m in limited.models.list()] == ["smart"]


def test_a_model_can_be_retrieved_by_its_name_with_a_slash(oai):
    assert oai.models.retrieve("smart").object == "model"
    assert oai.models.retrieve("openai/fast").id == "openai/fast"
    with pytest.raises(openai.NotFoundError) as refused:
        oai.models.retrieve("nowhere")
    assert refused.value.code == "model_not_found"


def test_legacy_completions_answer_and_stream(oai):
    whole = oai.completions.create(model="smart", prompt="echo legacy words", max_tokens=20)
    assert whole.choices[0].text == "legacy words" and whole.object == "text_completion"
    stream = oai.completions.create(model="smart", prompt="echo legacy words", max_tokens=20, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == "legacy words"


def test_responses_answer_and_stream(oai):
    whole = oai.responses.create(model="smart", input="echo a response", instructions="Be brief.")
    assert whole.output_text == "a response" and whole.status == "completed"
    with oai.responses.stream(model="smart", input="echo a response") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert "response.output_text.delta" in kinds
    assert final.output_text == "a response"


def test_a_response_is_continued_where_it_was_made(world, oai):
    first = oai.responses.create(model="smart", input="hi")
    seen = world.openai.stats()["requests"]
    second = oai.responses.with_raw_response.create(model="smart", input="echo more", previous_response_id=first.id)
    assert second.headers["x-weir-deployment"] == "openai/fast"
    assert second.parse().previous_response_id == first.id
    assert world.openai.stats()["requests"] == seen + 1


def test_a_streamed_response_can_be_continued_too(oai):
    *_, last = oai.responses.create(model="smart", input="hi", stream=True)
    answer = oai.responses.create(model="smart", input="echo on", previous_response_id=last.response.id)
    assert answer.output_text == "on"


def test_another_tenants_response_is_not_known(world, oai):
    first = oai.responses.create(model="smart", input="hi")
    with openai.OpenAI(base_url=world.openai_url, api_key=LIMITED_KEY) as other:
        with pytest.raises(openai.NotFoundError) as refused:
            other.responses.create(model="smart", input="hi", previous_response_id=first.id)
    assert refused.value.code == "previous_response_not_found"


def test_a_stateful_response_is_not_asked_for_twice(world, oai):
    for model in ("openai/more!500", "openai/more!reset"):
        before = world.openai.stats()["requests"]
        with pytest.raises(openai.InternalServerError):
            oai.responses.create(model=model, input="hi")
        assert world.openai.stats()["requests"] == before + 1


def test_response_tools_and_structure_pass_through(oai):
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
    answer = oai.responses.create(model="smart", input="use a tool", tools=[tool], store=False)
    assert [item.type for item in answer.output] == ["function_call"]


def test_raw_headers_say_who_answered_and_what_it_took(oai, route):
    raw = oai.chat.completions.with_raw_response.create(model=route, messages=ECHO, extra_headers={"x-weir-run": "r-1"})
    first = {"smart": "openai/fast", "claude": "anthropic/fast"}[route]
    assert raw.headers["x-weir-deployment"] == first
    assert raw.headers["x-weir-attempts"] == "1" and raw.headers["x-weir-queued-ms"] == "0"
    assert raw.headers["x-weir-run"] == "r-1"
    assert int(raw.headers["x-weir-overhead-us"]) < 1_000_000
    assert raw.headers["x-weir-request"] and raw.headers["x-request-id"] == raw.parse()._request_id
    assert "openai-organization" not in raw.headers and "anthropic-organization-id" not in raw.headers


def test_what_is_dropped_in_translation_is_said(oai):
    raw = oai.chat.completions.with_raw_response.create(model="claude", messages=ECHO, seed=7, logit_bias={"1": 1})
    assert set(raw.headers["x-weir-degraded"].split(",")) == {"dropped:seed", "dropped:logit_bias"}
    same = oai.chat.completions.with_raw_response.create(model="smart", messages=ECHO, seed=7)
    assert "x-weir-degraded" not in same.headers


def test_fields_headers_and_queries_nobody_told_weir_of_reach_the_provider(world, oai):
    oai.chat.completions.create(
        model="smart",
        messages=ECHO,
        extra_body={"brand_new": {"deep": [1, None, "→"]}, "seed": 7},
        extra_headers={"openai-beta": "tides=v2"},
        extra_query={"tide": "high", "api_key": "leak"},
    )
    seen = world.openai.last()
    assert seen["json"]["brand_new"] == {"deep": [1, None, "→"]} and seen["json"]["seed"] == 7
    assert seen["headers"]["openai-beta"] == "tides=v2"
    assert seen["path"] == "/v1/chat/completions?tide=high"


def test_async_clients_stream(world, route):
    async def words():
        async with openai.AsyncOpenAI(base_url=world.openai_url, api_key=MAIN_KEY) as client:
            stream = await client.chat.completions.create(model=route, messages=ECHO, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert asyncio.run(words()) == "hi"


def test_a_cancelled_task_cancels_the_call_upstream(world, route):
    mock = world.mock_of(route)
    before = mock.stats()["cancelled"]
    model = {"smart": "openai", "claude": "anthropic"}[route] + "/more!silence"

    async def cancel():
        async with openai.AsyncOpenAI(base_url=world.openai_url, api_key=MAIN_KEY) as client:
            task = asyncio.create_task(client.chat.completions.create(model=model, messages=ECHO))
            await asyncio.to_thread(eventually, lambda: mock.stats()["in_flight"] == 1, "the call is at the provider")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancel())
    eventually(lambda: mock.stats()["cancelled"] == before + 1, "the mock sees that its client left")
    assert mock.stats()["in_flight"] == 0


def test_a_request_that_its_client_left_is_on_record(world, oai):
    raw = oai.chat.completions.with_raw_response.create(model="openai/more!stall:2", messages=[{"role": "user", "content": "words=20"}], stream=True)
    with raw.parse() as stream:
        next(iter(stream))
    record = world.weir.record(raw.headers["x-weir-request"])
    assert record["outcome"] == "cancelled" and record["status"] == 499
    assert [a["deployment"] for a in record["attempts"]] == ["openai/more!stall:2"]
