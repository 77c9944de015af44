"""Starts the real binary and the mocks it talks to, and looks into them.

Everything listens on a port that the system chose, and says so; nothing waits for a fixed time.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import httpx

ROOT = pathlib.Path(__file__).resolve().parents[3]
WEIR = pathlib.Path(os.environ.get("WEIR_BIN") or ROOT / "target" / "debug" / "weir")

MAIN_KEY = "weir_main_0123456789abcdef0123456789"
LIMITED_KEY = "weir_limited_0123456789abcdef012345"
ADMIN_KEY = "weir_admin_0123456789abcdef01234567"
OPENAI_CREDENTIAL = "sk-upstream-openai-credential"
ANTHROPIC_CREDENTIAL = "sk-ant-upstream-credential"
SECRETS = {
    "MAIN_KEY": MAIN_KEY,
    "LIMITED_KEY": LIMITED_KEY,
    "WEIR_ADMIN_KEY": ADMIN_KEY,
    "UPSTREAM_OPENAI": OPENAI_CREDENTIAL,
    "UPSTREAM_ANTHROPIC": ANTHROPIC_CREDENTIAL,
}
# Longer than anything here takes; what reaches it fails.
PATIENCE = 20.0


def binary():
    if not WEIR.exists():
        raise AssertionError(f"{WEIR} is not there: build it with `cargo build -p weir`, or run ./scripts/test")
    return str(WEIR)


def eventually(read, what, patience=PATIENCE):
    """The first true value that `read` gives."""
    end = time.monotonic() + patience
    while True:
        value = read()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(0.01)


def environment(home, **more):
    """What a process inherits: a path, a home of its own, and what the test gives it; no proxy, no real credential."""
    clean = {"PATH": os.environ.get("PATH", ""), "HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "LANG": "C.UTF-8"}
    return {**clean, **{name: value for name, value in more.items() if value is not None}}


class Process:
    """A child whose words are kept, and which is ended by its own id."""

    def __init__(self, arguments, env, cwd=None):
        self.child = subprocess.Popen(
            arguments, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.child.stdout:
            self.lines.append(line.rstrip())

    @property
    def said(self):
        return "\n".join(self.lines)

    def wait_for(self, pattern):
        def found():
            match = re.search(pattern, self.said)
            if match is None and self.child.poll() is not None and not self.reader.is_alive():
                raise AssertionError(f"it ended with {self.child.returncode} before saying /{pattern}/:\n{self.said}")
            return match

        return eventually(found, f"/{pattern}/ in:\n{self.said}")

    def send(self, number):
        self.child.send_signal(number)

    def wait(self):
        code = self.child.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return code

    def stop(self, number=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(number)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Mock(Process):
    """A provider that `weir mock` plays."""

    def __init__(self, home, *arguments, listen="127.0.0.1:0"):
        super().__init__([binary(), "mock", "--listen", listen, *arguments], environment(home))
        self.url = self.wait_for(r"http://127\.0\.0\.1:\d+").group(0)

    def get(self, path):
        return httpx.get(f"{self.url}/mock/{path}", trust_env=False).raise_for_status().json()

    def post(self, path, **body):
        return httpx.post(f"{self.url}/mock/{path}", json=body, trust_env=False).raise_for_status().json()

    def stats(self):
        return self.get("stats")

    def log(self):
        return self.get("log")

    def last(self):
        """The newest request: its headers, and its body as JSON."""
        seen = self.log()[-1]
        seen["json"] = json.loads(seen["body"]) if seen["body"] else None
        return seen

    def stop(self, number=signal.SIGINT):
        return super().stop(number)


class Weir(Process):
    """`weir serve`, ready."""

    def __init__(self, home, config=None, scheme="http", env=None):
        arguments = [binary(), "serve"] + (["--config", str(config)] if config else [])
        super().__init__(arguments, environment(home, **{**SECRETS, **(env or {})}), cwd=home)
        try:
            address = self.wait_for(r"weir serves.*address=([\d.]+:\d+)").group(1)
            self.url = f"{scheme}://{address}"
            self.port = int(address.rsplit(":", 1)[1])
            with httpx.Client(verify=False, trust_env=False) as client:
                ready = lambda: client.get(f"{self.url}/health/ready").status_code == 200
                eventually(ready, "readiness")
        except BaseException:
            self.stop(signal.SIGKILL)
            raise

    def admin(self, path):
        headers = {"authorization": f"Bearer {ADMIN_KEY}"}
        return httpx.get(f"{self.url}{path}", headers=headers, trust_env=False)

    def record(self, request_id):
        """The record of a request that ended."""

        def found():
            answer = self.admin(f"/admin/v1/requests/{request_id}")
            # Until it is settled it has no status.
            return answer.json() if answer.status_code == 200 and answer.json()["status"] else None

        return eventually(found, f"a record of {request_id}")

    def resident_kb(self):
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))


def config(openai, anthropic, listen="127.0.0.1:0", keys=True, server="", more=""):
    """A weir.toml with a provider of each dialect, a route that begins with each, and two keys of two tenants."""
    with_keys = """
[keys.main]
key = { env = "MAIN_KEY" }
tenant = "team-a"

[keys.limited]
key = { env = "LIMITED_KEY" }
tenant = "team-b"
routes = ["smart"]

[tenants.team-a]
[tenants.team-b]
"""
    return f"""
[server]
listen = "{listen}"
grace = "15s"
{'admin-key = { env = "WEIR_ADMIN_KEY" }' if keys else ""}
{server}

[ledger]
url = "sqlite:weir.db"

[retry]
base = "5ms"
patience = "500ms"

[providers.openai]
kind = "openai"
base-url = "{openai}/v1"
api-key = {{ env = "UPSTREAM_OPENAI" }}
headers = {{ "x-team" = "river" }}
[providers.openai.models.fast]
[providers.openai.models.embed]

[providers.anthropic]
kind = "anthropic"
base-url = "{anthropic}"
api-key = {{ env = "UPSTREAM_ANTHROPIC" }}
[providers.anthropic.models.fast]

[routes.smart]
deployments = ["openai/fast", "anthropic/fast"]

[routes.claude]
deployments = ["anthropic/fast", "openai/fast"]

{with_keys if keys else ""}
{more}
"""


def weir_command(home, *arguments, **env):
    """Runs `weir` to its end."""
    child = [binary(), *arguments]
    more = {**SECRETS, **env}
    return subprocess.run(child, env=environment(home, **more), cwd=home, capture_output=True, text=True, timeout=PATIENCE)
