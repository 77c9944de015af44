"""What all tests share: one gateway with a provider of each dialect, and the official clients to it."""

import importlib.util

import pytest

for name in ("openai", "anthropic", "httpx", "h2", "cryptography", "zstandard", "pydantic", "opentelemetry.proto"):
    if importlib.util.find_spec(name) is None:
        raise pytest.UsageError(f"`{name}` is not installed here: ./scripts/test installs what these tests need, and runs them")

import anthropic
import openai
from harness import ANTHROPIC_CREDENTIAL, MAIN_KEY, OPENAI_CREDENTIAL, Mock, Weir, config


class World:
    """A gateway, and the providers behind it."""

    def __init__(self, home, weir, openai_mock, anthropic_mock):
        self.weir_home, self.weir, self.openai, self.anthropic = home, weir, openai_mock, anthropic_mock

    @property
    def openai_url(self):
        return f"{self.weir.url}/v1"

    def mock_of(self, model):
        """The mock that `model` reaches first."""
        return self.openai if model in ("smart",) or model.startswith(("openai/", "o")) else self.anthropic


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    home = tmp_path_factory.mktemp("world")
    with Mock(home, "--api-key", OPENAI_CREDENTIAL) as o, Mock(home, "--api-key", ANTHROPIC_CREDENTIAL) as a:
        file = home / "weir.toml"
        file.write_text(config(o.url, a.url, more=SICK.format(openai=o.url, anthropic=a.url)))
        with Weir(home, file) as weir:
            yield World(home, weir, o, a)


# A test that orders a fault by a model's name uses a name of its own file's, since enough faults open that model's breaker.
# Providers for faults that bench a credential or a host: they share the mocks, and nothing else sees what they do.
SICK = """
[providers.o-locked]
kind = "openai"
base-url = "{openai}/v1"
api-key = {{ env = "MAIN_KEY" }}

[providers.a-locked]
kind = "anthropic"
base-url = "{anthropic}"
api-key = {{ env = "MAIN_KEY" }}

[providers.o-broke]
kind = "openai"
base-url = "{openai}/v1"
api-key = {{ env = "UPSTREAM_OPENAI" }}

[providers.o-gone]
kind = "openai"
base-url = "http://127.0.0.1:1/v1"
"""


@pytest.fixture
def oai(world):
    """OpenAI's client, as its users make it."""
    with openai.OpenAI(base_url=world.openai_url, api_key=MAIN_KEY) as client:
        yield client


@pytest.fixture
def ant(world):
    """Anthropic's client, as its users make it."""
    with anthropic.Anthropic(base_url=world.weir.url, api_key=MAIN_KEY) as client:
        yield client


@pytest.fixture(params=["smart", "claude"], ids=["openai-provider", "anthropic-provider"])
def route(request):
    """A route by its first provider: one speaks the client's dialect, the other is translated to."""
    return request.param
