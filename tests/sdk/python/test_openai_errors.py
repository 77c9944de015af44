"""OpenAI's Python SDK: each refusal is its own exception type, says who refused, and is retried only where that helps."""

import openai
import pytest
from harness import LIMITED_KEY, MAIN_KEY

HI = [{"role": "user", "content": "words=12"}]


def refusal(client, kind, **request):
    with pytest.raises(kind) as refused:
        client.chat.completions.create(**{"messages": HI, **request})
    error = refused.value
    assert type(error) is kind and error.request_id
    assert error.response.headers["x-weir-request"] and error.response.headers["x-weir-refused-by"]
    return error


@pytest.fixture
def counted(world):
    """How many calls the OpenAI mock saw since the test began."""
    before = world.openai.stats()["requests"]
    return lambda: world.openai.stats()["requests"] - before


def test_a_wrong_key_is_an_authentication_error(world, counted):
    with openai.OpenAI(base_url=world.openai_url, api_key="weir_wrong_0123456789abcdef01234") as client:
        error = refusal(client, openai.AuthenticationError, model="smart")
    assert (error.status_code, error.code, error.response.headers["x-weir-refused-by"]) == (401, "invalid_api_key", "weir")
    assert counted() == 0


def test_a_route_that_the_key_may_not_use_is_a_permission_error(world, counted):
    with openai.OpenAI(base_url=world.openai_url, api_key=LIMITED_KEY) as client:
        error = refusal(client, openai.PermissionDeniedError, model="claude")
        assert (error.code, error.param) == ("route_not_allowed", "model")
        assert client.chat.completions.create(model="smart", messages=HI).choices
    assert counted() == 1


@pytest.mark.parametrize("model, by", [("nothing", "weir"), ("openai/missing", "openai"), ("anthropic/missing", "anthropic")])
def test_an_unknown_model_is_a_not_found_error(oai, model, by):
    error = refusal(oai, openai.NotFoundError, model=model)
    assert error.code == "model_not_found" and error.param == "model"
    assert error.response.headers["x-weir-refused-by"] == by


def test_what_the_provider_finds_wrong_comes_as_it_said_it(oai, counted):
    error = refusal(oai, openai.BadRequestError, model="smart", extra_body={"temperature": 9})
    assert error.param == "temperature" and error.code == "invalid_type" and "between 0 and 2" in error.message
    assert error.response.headers["x-weir-refused-by"] == "openai"
    assert counted() == 1, "no other deployment and no repeat would take it"


def test_a_provider_of_the_other_dialect_refuses_in_the_clients_own_shape(oai):
    error = refusal(oai, openai.BadRequestError, model="anthropic/oai!filter")
    assert error.response.headers["x-weir-refused-by"] == "anthropic"
    assert error.type == "invalid_request_error" and error.request_id


def test_what_no_deployment_can_express_is_a_bad_request_that_names_it(world, oai, counted):
    before = world.anthropic.stats()["requests"]
    error = refusal(oai, openai.BadRequestError, model="anthropic/fast", n=2)
    assert error.param == "n"
    assert world.anthropic.stats()["requests"] == before and counted() == 0


def test_what_one_provider_cannot_express_goes_to_the_other(oai):
    answer = oai.chat.completions.with_raw_response.create(model="claude", messages=HI, n=2)
    assert answer.headers["x-weir-deployment"] == "openai/fast" and len(answer.parse().choices) == 2


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_prompt_too_long_says_so_by_code(oai, provider):
    error = refusal(oai, openai.BadRequestError, model=f"{provider}/oai!context")
    assert error.code == "context_length_exceeded"


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_rate_limit_of_the_provider_says_when_to_come_back(world, provider):
    with openai.OpenAI(base_url=world.openai_url, api_key=MAIN_KEY, max_retries=0) as client:
        error = refusal(client, openai.RateLimitError, model=f"{provider}/oai!429:7")
    headers = error.response.headers
    assert error.code == "rate_limit_exceeded"
    assert (headers["retry-after"], headers["x-should-retry"], headers["x-weir-refused-by"]) == ("7", "true", provider)


def test_the_sdk_retries_a_rate_limit_when_told_and_succeeds(world, oai, counted):
    # With more time Weir would wait for the second itself.
    hasty = {"x-weir-deadline": "900ms"}
    world.openai.post("order", fault="429:1", next=1)
    answer = oai.chat.completions.create(model="openai/fast", messages=HI, extra_headers=hasty)
    assert answer.choices and counted() == 2
    assert world.openai.last()["headers"]["x-stainless-retry-count"] == "1"


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_providers_500_is_a_502_that_the_sdk_does_not_repeat(world, oai, provider):
    mock = world.openai if provider == "openai" else world.anthropic
    before = mock.stats()["requests"]
    error = refusal(oai, openai.InternalServerError, model=f"{provider}/oai!500")
    assert (error.status_code, error.code) == (502, "upstream_error")
    assert error.response.headers["x-should-retry"] == "false"
    assert mock.stats()["requests"] - before == int(error.response.headers["x-weir-attempts"]) <= 3
    assert mock.last()["headers"]["x-stainless-retry-count"] == "0", "Weir's own attempts, not the SDK's"


@pytest.mark.parametrize("provider, fault", [("openai", "503"), ("anthropic", "529")])
def test_an_overload_is_a_503_to_come_back_from(world, provider, fault):
    with openai.OpenAI(base_url=world.openai_url, api_key=MAIN_KEY, max_retries=0) as client:
        error = refusal(client, openai.InternalServerError, model=f"{provider}/oai!{fault}")
    assert (error.status_code, error.code) == (503, "upstream_error")
    assert error.response.headers["x-should-retry"] == "true" and int(error.response.headers["retry-after"]) >= 1


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_silence_is_a_504_within_the_deadline(oai, provider):
    error = refusal(oai, openai.InternalServerError, model=f"{provider}/oai!silence", extra_headers={"x-weir-deadline": "400ms"})
    assert (error.status_code, error.code) == (504, "upstream_timeout")
    assert error.response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("model", ["o-locked/fast", "a-locked/fast", "o-broke/oai!insufficient_quota", "o-gone/fast"])
def test_faults_of_the_operators_account_are_never_the_callers_fault(oai, model):
    error = refusal(oai, openai.InternalServerError, model=model)
    assert (error.status_code, error.code) == (502, "upstream_error")


def test_a_failing_first_deployment_is_not_noticed(world, oai):
    world.openai.post("order", fault="500")
    try:
        answer = oai.chat.completions.with_raw_response.create(model="smart", messages=HI)
        # Whether the first one is asked twice is for the retry budget to say.
        assert answer.headers["x-weir-deployment"] == "anthropic/fast" and answer.headers["x-weir-attempts"] in ("2", "3")
        assert answer.parse().choices[0].message.content
        stream = oai.chat.completions.create(model="smart", messages=HI, stream=True)
        assert "".join(c.choices[0].delta.content or "" for c in stream) == answer.parse().choices[0].message.content
    finally:
        world.openai.post("clear")


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
@pytest.mark.parametrize("fault", ["error-in-stream:3", "cut:3"])
def test_a_stream_that_breaks_ends_in_an_error_and_never_in_a_false_stop(oai, provider, fault):
    said, finish = "", []
    stream = oai.chat.completions.create(model=f"{provider}/oai!{fault}", messages=HI, stream=True)
    with pytest.raises(openai.APIError) as broken:
        for chunk in stream:
            said += chunk.choices[0].delta.content or ""
            finish += [chunk.choices[0].finish_reason] if chunk.choices[0].finish_reason else []
    assert said and not finish and broken.value.message


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
@pytest.mark.parametrize("fault", ["malformed:3", "no-done"])
def test_a_stream_with_a_blemish_is_whole_all_the_same(oai, provider, fault):
    clean = oai.chat.completions.create(model=f"{provider}/fast", messages=HI).choices[0].message.content
    chunks = list(oai.chat.completions.create(model=f"{provider}/oai!{fault}", messages=HI, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == clean
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_each_refusal_is_on_record_with_its_attempts(world, oai):
    error = refusal(oai, openai.InternalServerError, model="openai/oai!502")
    record = world.weir.record(error.response.headers["x-weir-request"])
    assert (record["status"], record["code"], record["refused_by"]) == (502, "upstream_error", "openai")
    assert (record["key"], record["tenant"]) == ("main", "team-a")
    assert len(record["attempts"]) == int(error.response.headers["x-weir-attempts"])
    assert all(a["status"] == 502 for a in record["attempts"])
