"""Makes models.json, the model catalogue, from litellm's data file.

    python3 make_models.py MODEL_PRICES_JSON VERSION DATE > models.json

MODEL_PRICES_JSON is `litellm/model_prices_and_context_window_backup.json` of the wheel litellm VERSION
(BerriAI/litellm, MIT licence); DATE is the day it was taken. litellm leaves out a capability that
a model lacks, so what is absent is false, but for the few where its absence says nothing: those are null, "unknown".

Prices are decimals in text, US dollars per million tokens; no float is on their way. A model has none where a call's tokens
do not tell its cost: where litellm has no price, and where audio is priced apart from text.
"""

import json
import sys
from decimal import Decimal

PROVIDERS = {"openai": "openai", "text-completion-openai": "openai", "anthropic": "anthropic"}
MODES = {"chat", "responses", "embedding", "completion"}
# OpenAI's published windows, of which litellm gives the input's part alone.
WHOLE_WINDOWS = {400_000, 1_050_000}
# Weir's name for a kind of token, and litellm's names for its price.
RATES = {
    "input": ["input_cost_per_token"],
    "cached_input": ["cache_read_input_token_cost"],
    "cache_write": ["cache_creation_input_token_cost"],
    "cache_write_long": ["cache_creation_input_token_cost_above_1hr", "cache_creation_input_token_cost_above_12hr"],
    "output": ["output_cost_per_token"],
    "reasoning": ["output_cost_per_reasoning_token"],
}
LONG = {"_above_100k_tokens": 100_000, "_above_128k_tokens": 128_000, "_above_200k_tokens": 200_000, "_above_272k_tokens": 272_000}


def sampling(entry, provider):
    if "supports_sampling_params" in entry:
        return entry["supports_sampling_params"]
    if not entry.get("supports_reasoning"):
        return True
    if provider == "anthropic":
        return True
    # OpenAI's reasoning models take default values alone, unless reasoning can be switched off.
    return None if entry.get("supports_none_reasoning_effort") else False


def always_on(name, entry, provider):
    if provider == "anthropic" or "thinking_always_on" in entry:
        return bool(entry.get("thinking_always_on"))
    # litellm marks Anthropic's alone. OpenAI's reason unasked unless they can be told not to; its chat models are others.
    return bool(entry.get("supports_reasoning")) and sampling(entry, provider) is False and "chat" not in name


def per_million(price):
    text = f"{price * 1_000_000:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def rates(entry, suffix=""):
    found = {}
    for name, keys in RATES.items():
        prices = [Decimal(entry[key + suffix]) for key in keys if entry.get(key + suffix) is not None]
        if prices and not (name == "output" and entry["mode"] == "embedding"):
            found[name] = per_million(prices[0])
    return found


def price(entry):
    if any("audio_token" in key for key in entry) or entry.get("input_cost_per_token") is None:
        return None
    found = rates(entry)
    for suffix, above in LONG.items():
        if long := rates(entry, suffix):
            found["long_context"] = {"above": above} | long
            # Known for short contexts alone it would be taken for the price of both.
            if found.keys() - long.keys() - {"long_context"} == {"cache_write_long"}:
                del found["cache_write_long"]
            assert found.keys() - {"long_context"} == long.keys(), (found, long)
    # Every batch API halves its prices; where litellm says otherwise it is not known here.
    batch = [
        entry.get(f"{side}_cost_per_token_batches", 0) * 2 == entry[f"{side}_cost_per_token"]
        for side in ("input", "output")
    ]
    if "input_cost_per_token_batches" in entry and all(batch):
        found["batch_percent"] = 50
    return found


def model(name, entry):
    provider = PROVIDERS[entry["litellm_provider"]]
    mode = entry["mode"]
    talks = mode in ("chat", "responses")
    endpoints = entry.get("supported_endpoints", [])
    window, output = entry.get("max_input_tokens"), entry.get("max_output_tokens")
    if window and output and window + output in WHOLE_WINDOWS:
        window += output
    has = lambda key: talks and bool(entry.get(key))
    schema = "supports_native_structured_output" if provider == "anthropic" else "supports_response_schema"
    if provider == "anthropic":
        responses = False
    elif endpoints:
        responses = "/v1/responses" in endpoints
    else:
        responses = True if mode == "responses" else (None if talks else False)
    return {
        "name": name,
        "provider": provider,
        "window": window,
        "max_output": None if mode == "embedding" else output,
        "chat": mode == "chat",
        "completions": mode == "completion",
        "responses": responses,
        "embeddings": mode == "embedding",
        "tools": has("supports_function_calling"),
        "forced_tool_choice": entry.get("supports_forced_tool_use", has("supports_tool_choice")),
        "images": has("supports_vision"),
        "documents": has("supports_pdf_input"),
        "json_schema": has(schema),
        "reasoning": has("supports_reasoning"),
        "thinking_always_on": talks and always_on(name, entry, provider),
        "sampling": sampling(entry, provider) if talks else mode == "completion",
        "prefill": entry.get("supports_assistant_prefill") if provider == "anthropic" else False,
        "price": price(entry),
    }


def main(path, version, date):
    with open(path, encoding="utf-8") as file:
        entries = json.load(file, parse_float=Decimal)
    models = [
        model(name, entry)
        for name, entry in sorted(entries.items())
        if isinstance(entry, dict)
        and entry.get("litellm_provider") in PROVIDERS
        and entry.get("mode") in MODES
        and not name.startswith("ft:")
        and "/" not in name
    ]
    source = f"litellm {version} (MIT), model_prices_and_context_window_backup.json"
    lines = ",\n".join("    " + json.dumps(m | {"source": source, "date": date}) for m in models)
    print("[\n" + lines + "\n]")


if __name__ == "__main__":
    main(*sys.argv[1:])
