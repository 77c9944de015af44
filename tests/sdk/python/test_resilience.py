"""What happens around a request: providers that restart, readers that are slow, answers that are long, limits of time."""

import asyncio
import socket

import anthropic
import httpx
import openai
import pytest
from harness import MAIN_KEY, Mock, Weir, config, eventually

AUTH = {"authorization": f"Bearer {MAIN_KEY}"}


def user(text):
    return [{"role": "user", "content": text}]


def test_a_refusal_is_read_though_the_body_is_large(world):
    """It is given before the body is read, so the connection must outlast what the client still sends."""
    messages = user("x" * 20_000_000)
    for _ in range(5):
        with openai.OpenAI(base_url=world.openai_url, api_key="weir_wrong_0123456789abcdef01234", max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError):
                client.chat.completions.create(model="smart", messages=messages)
        with anthropic.Anthropic(base_url=world.weir.url, api_key="weir_wrong_0123456789abcdef01234", max_retries=0) as client:
            with pytest.raises(anthropic.AuthenticationError):
                client.messages.create(model="smart", max_tokens=9, messages=messages)


def test_a_body_over_the_limit_is_the_sdks_own_error(world):
    messages = user("x" * (40 << 20))
    for _ in range(3):
        with anthropic.Anthropic(base_url=world.weir.url, api_key=MAIN_KEY, max_retries=0) as client:
            with pytest.raises(anthropic.RequestTooLargeError):
                client.messages.create(model="smart", max_tokens=9, messages=messages)
        with openai.OpenAI(base_url=world.openai_url, api_key=MAIN_KEY, max_retries=0) as client:
            with pytest.raises(openai.APIStatusError) as refused:
                client.chat.completions.create(model="smart", messages=messages)
            assert refused.value.status_code == 413


def test_the_sdks_own_timeout_is_kept_as_the_deadline(world, oai):
    """So that what it is told is which provider was silent, and not only that nothing came."""
    with pytest.raises(openai.InternalServerError) as refused:
        oai.chat.completions.create(model="openai/late!silence", messages=user("hi"), timeout=3.0)
    assert refused.value.status_code == 504 and "openai/late!silence" in refused.value.message


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_provider_that_restarts_costs_no_request(tmp_path):
    """Its pooled connections are dead then, and that shows only when one is used."""
    address = f"127.0.0.1:{free_port()}"
    file = tmp_path / "weir.toml"
    file.write_text(config(f"http://{address}", "http://127.0.0.1:1"))
    ask = {"model": "openai/fast", "messages": user("echo hi")}
    mock = Mock(tmp_path, listen=address)
    with Weir(tmp_path, file) as weir, openai.OpenAI(base_url=f"{weir.url}/v1", api_key=MAIN_KEY, max_retries=0) as client:
        for _ in range(3):
            assert client.chat.completions.create(**ask).choices[0].message.content == "hi"
            mock.stop()
            mock = Mock(tmp_path, listen=address)
            assert client.responses.create(model="openai/fast", input="echo hi").output_text == "hi"
            mock.stop()
            mock = Mock(tmp_path, listen=address)
            stream = client.chat.completions.create(**ask, stream=True)
            assert "".join(c.choices[0].delta.content or "" for c in stream) == "hi"
        mock.stop()


@pytest.mark.parametrize("model", ["openai/fast", "anthropic/fast"])
def test_a_long_stream_is_whole_and_costs_no_memory(world, oai, model):
    before = world.weir.resident_kb()
    words, finish = 0, None
    for chunk in oai.chat.completions.create(model=model, messages=user("words=8000"), max_tokens=20_000, stream=True):
        words += chunk.choices[0].delta.content is not None and chunk.choices[0].delta.content != ""
        finish = chunk.choices[0].finish_reason or finish
    assert (words, finish) == (8_000, "stop")
    assert world.weir.resident_kb() - before < 32 * 1024


def test_a_slow_reader_holds_its_provider_back_and_not_the_memory(world):
    before = world.weir.resident_kb()
    body = {"model": "openai/fast", "stream": True, "max_tokens": 20_000, "messages": user("words=20000")}
    streams = []
    with httpx.Client(base_url=world.weir.url, headers=AUTH, trust_env=False, timeout=60) as client:
        for _ in range(8):
            request = client.build_request("POST", "/v1/chat/completions", json=body)
            streams.append(client.send(request, stream=True))
        # All have begun and nobody reads on.
        assert world.weir.resident_kb() - before < 64 * 1024
        assert httpx.get(f"{world.weir.url}/v1/models", headers=AUTH, trust_env=False).status_code == 200
        last = streams.pop()
        assert last.read().decode().rstrip().endswith("data: [DONE]")
        for stream in streams:
            stream.close()
    eventually(lambda: world.openai.stats()["in_flight"] == 0, "what nobody reads is cancelled")


def test_fifty_streams_share_one_connection_of_http_2(world):
    async def all_of_them():
        async with httpx.AsyncClient(base_url=world.weir.url, http1=False, http2=True, headers=AUTH, trust_env=False) as client:

            async def one(n):
                body = {"model": "claude", "stream": True, "messages": user(f"echo number {n}")}
                answer = await client.post("/v1/chat/completions", json=body)
                assert answer.http_version == "HTTP/2"
                return "number" in answer.text and answer.text.rstrip().endswith("data: [DONE]")

            return await asyncio.gather(*(one(n) for n in range(50)))

    assert all(asyncio.run(all_of_them()))
