"""Anthropic's Python SDK: each refusal is its own exception type with a request id, and is retried only where that helps."""

import anthropic
import pytest
from harness import LIMITED_KEY, MAIN_KEY

HI = [{"role": "user", "content": "words=12"}]


def refusal(client, kind, **request):
    with pytest.raises(kind) as refused:
        client.messages.create(**{"max_tokens": 100, "messages": HI, **request})
    error = refused.value
    assert type(error) is kind
    assert error.request_id and error.body["type"] == "error"
    return error


@pytest.fixture
def once(world):
    """A client that makes each call once."""
    with anthropic.Anthropic(base_url=world.weir.url, api_key=MAIN_KEY, max_retries=0) as client:
        yield client


def test_a_wrong_key_is_an_authentication_error(world):
    with anthropic.Anthropic(base_url=world.weir.url, api_key="weir_wrong_0123456789abcdef01234") as client:
        error = refusal(client, anthropic.AuthenticationError, model="claude")
    assert (error.type, error.error_code) == ("authentication_error", "invalid_api_key")
    assert error.response.headers["x-weir-refused-by"] == "weir"


def test_a_route_that_the_key_may_not_use_is_a_permission_error(world):
    with anthropic.Anthropic(base_url=world.weir.url, api_key=LIMITED_KEY) as client:
        error = refusal(client, anthropic.PermissionDeniedError, model="claude")
    assert (error.type, error.error_code) == ("permission_error", "route_not_allowed")


@pytest.mark.parametrize("model, by", [("nothing", "weir"), ("openai/missing", "openai"), ("anthropic/missing", "anthropic")])
def test_an_unknown_model_is_a_not_found_error(ant, model, by):
    error = refusal(ant, anthropic.NotFoundError, model=model)
    assert (error.type, error.error_code) == ("not_found_error", "model_not_found")
    assert error.response.headers["x-weir-refused-by"] == by


def test_what_the_provider_finds_wrong_comes_as_it_said_it(world, ant):
    before = world.anthropic.stats()["requests"]
    error = refusal(ant, anthropic.BadRequestError, model="claude", extra_body={"temperature": 0.5})
    assert error.type == "invalid_request_error" and "sampling parameters are not accepted" in error.api_message
    assert error.response.headers["x-weir-refused-by"] == "anthropic"
    assert world.anthropic.stats()["requests"] == before + 1


def test_a_provider_of_the_other_dialect_refuses_in_the_clients_own_shape(ant):
    error = refusal(ant, anthropic.BadRequestError, model="openai/ant!filter")
    assert error.type == "invalid_request_error" and error.response.headers["x-weir-refused-by"] == "openai"


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_prompt_too_long_says_so_by_code(ant, provider):
    error = refusal(ant, anthropic.BadRequestError, model=f"{provider}/ant!context")
    assert (error.type, error.error_code) == ("invalid_request_error", "context_length_exceeded")


def test_a_malformed_request_is_refused_before_any_provider_sees_it(world, ant):
    before = world.anthropic.stats()["requests"]
    error = refusal(ant, anthropic.BadRequestError, model="claude", extra_body={"stream": "yes"})
    assert error.response.headers["x-weir-refused-by"] == "weir" and "stream" in error.api_message
    assert world.anthropic.stats()["requests"] == before


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_rate_limit_of_the_provider_says_when_to_come_back(once, provider):
    error = refusal(once, anthropic.RateLimitError, model=f"{provider}/ant!429:7")
    headers = error.response.headers
    assert error.type == "rate_limit_error"
    assert (headers["retry-after"], headers["x-should-retry"], headers["x-weir-refused-by"]) == ("7", "true", provider)


def test_the_sdk_retries_a_rate_limit_when_told_and_succeeds(world, ant):
    before = world.anthropic.stats()["requests"]
    # With more time Weir would wait for the second itself.
    hasty = {"x-weir-deadline": "900ms"}
    world.anthropic.post("order", fault="429:1", next=1)
    assert ant.messages.create(model="anthropic/fast", max_tokens=50, messages=HI, extra_headers=hasty).content
    assert world.anthropic.stats()["requests"] == before + 2
    assert world.anthropic.last()["headers"]["x-stainless-retry-count"] == "1"


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_providers_500_is_an_api_error_that_the_sdk_does_not_repeat(world, ant, provider):
    mock = world.openai if provider == "openai" else world.anthropic
    before = mock.stats()["requests"]
    error = refusal(ant, anthropic.InternalServerError, model=f"{provider}/ant!500")
    assert (error.status_code, error.type, error.error_code) == (502, "api_error", "upstream_error")
    assert error.response.headers["x-should-retry"] == "false"
    assert mock.stats()["requests"] - before == int(error.response.headers["x-weir-attempts"]) <= 3


@pytest.mark.parametrize("provider, fault", [("openai", "503"), ("anthropic", "529")])
def test_an_overload_is_an_overloaded_error_to_come_back_from(once, provider, fault):
    error = refusal(once, anthropic.ServiceUnavailableError, model=f"{provider}/ant!{fault}")
    assert (error.status_code, error.type, error.error_code) == (503, "overloaded_error", "upstream_error")
    assert error.response.headers["x-should-retry"] == "true" and int(error.response.headers["retry-after"]) >= 1


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_silence_is_a_timeout_error_within_the_deadline(ant, provider):
    headers = {"x-weir-deadline": "400ms"}
    error = refusal(ant, anthropic.GatewayTimeoutError, model=f"{provider}/ant!silence", extra_headers=headers)
    assert (error.type, error.error_code) == ("timeout_error", "upstream_timeout")


@pytest.mark.parametrize("model", ["o-locked/fast", "a-locked/fast", "o-gone/fast"])
def test_faults_of_the_operators_account_are_never_the_callers_fault(ant, model):
    error = refusal(ant, anthropic.InternalServerError, model=model)
    assert (error.status_code, error.error_code) == (502, "upstream_error")


def test_a_failing_first_deployment_is_not_noticed(world, ant):
    world.anthropic.post("order", fault="529")
    try:
        raw = ant.messages.with_raw_response.create(model="claude", max_tokens=100, messages=HI)
        # Whether the first one is asked twice is for the retry budget to say.
        assert raw.headers["x-weir-deployment"] == "openai/fast" and raw.headers["x-weir-attempts"] in ("2", "3")
        with ant.messages.stream(model="claude", max_tokens=100, messages=HI) as stream:
            assert stream.get_final_text() == raw.parse().content[0].text
    finally:
        world.anthropic.post("clear")


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
@pytest.mark.parametrize("fault", ["error-in-stream:3", "cut:3"])
def test_a_stream_that_breaks_ends_in_an_error_and_never_in_a_false_stop(ant, provider, fault):
    said = ""
    with pytest.raises(anthropic.APIStatusError) as broken:
        with ant.messages.stream(model=f"{provider}/ant!{fault}", max_tokens=100, messages=HI) as stream:
            for text in stream.text_stream:
                said += text
    assert said and broken.value.body["error"]["type"] in ("overloaded_error", "api_error")
    assert stream.current_message_snapshot.stop_reason is None


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
@pytest.mark.parametrize("fault", ["malformed:3", "no-done"])
def test_a_stream_with_a_blemish_is_whole_all_the_same(ant, provider, fault):
    clean = ant.messages.create(model=f"{provider}/fast", max_tokens=100, messages=HI).content[0].text
    with ant.messages.stream(model=f"{provider}/ant!{fault}", max_tokens=100, messages=HI) as stream:
        final = stream.get_final_message()
    assert final.content[0].text == clean and final.stop_reason == "end_turn"
