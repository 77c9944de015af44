"""A real Prometheus that scrapes a Weir every second, with the rules and the dashboard that Weir ships."""

import json
import re
import shutil
import subprocess

import httpx
from harness import ADMIN_KEY, PATIENCE, ROOT, Process, environment, eventually

DEPLOY = ROOT / "deploy"
RULES = [DEPLOY / "prometheus" / name for name in ("recording.yml", "alerts.yml")]
RULE_TESTS = sorted((DEPLOY / "prometheus" / "tests").glob("*.yml"))

CONFIG = """
global:
  scrape_interval: 1s
  scrape_timeout: 1s
  evaluation_interval: 1s
rule_files: {rules}
scrape_configs:
  - job_name: weir
    authorization: {{ credentials: "{key}" }}
    static_configs: [{{ targets: ["{target}"] }}]
"""


def program(name):
    """Where `prometheus` or `promtool` is."""
    found = shutil.which(name)
    if found is None:
        raise AssertionError(f"`{name}` is not installed: apt-get install prometheus, or run ./scripts/test, which does")
    return found


def promtool(*arguments, given=None):
    """Runs it to its end, and returns what it said."""
    done = subprocess.run([program("promtool"), *map(str, arguments)], input=given, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class Prometheus(Process):
    def __init__(self, home, weir):
        file = home / "prometheus.yml"
        rules = json.dumps([str(path) for path in RULES])
        file.write_text(CONFIG.format(rules=rules, key=ADMIN_KEY, target=f"127.0.0.1:{weir.port}"))
        arguments = [f"--config.file={file}", f"--storage.tsdb.path={home / 'tsdb'}", "--web.listen-address=127.0.0.1:0"]
        super().__init__([program("prometheus"), *arguments], environment(home), cwd=home)
        self.url = "http://" + self.wait_for(r'"Listening on" address=([\d.]+:\d+)').group(1)
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=PATIENCE)
        eventually(lambda: self.http.get("/-/ready").status_code == 200, "Prometheus is ready")

    def get(self, path, **parameters):
        answer = self.http.get(f"/api/v1/{path}", params=parameters)
        assert answer.status_code == 200, f"{path} {parameters}: {answer.text}"
        return answer.json()["data"]

    def query(self, expression):
        """Labels and value of each series now; the value of none is not a number."""
        result = self.get("query", query=expression)["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]

    def number(self, expression):
        """The value of an expression that has one; none if it has no series."""
        found = self.query(expression)
        assert len(found) <= 1, f"{expression}: {found}"
        return found[0][1] if found else None

    def rules(self):
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]


def panels():
    """Title and expressions of each panel of the dashboard, with its variables filled in as Grafana does for `All`."""
    dashboard = json.loads((DEPLOY / "grafana" / "weir.json").read_text())
    found = []
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", "1m")
            expression = re.sub(r"\$(job|instance|route|deployment|key)\b", ".*", expression)
            assert "$" not in expression, expression
            found.append((panel["title"], expression))
    return found


def metrics_in(text):
    """Names of Weir's metrics in an expression or a page, without a histogram's endings."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\bweir_[a-z0-9_]+", text)}
