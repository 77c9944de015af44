#!/usr/bin/env python3
"""Measures Weir beside nginx as a plain reverse proxy, in one run, in turns, on loopback alone.

The proxies have core 0, the upstream and the load core 1. What counts are the ratios of one run: figures of two
runs, or of two machines, do not compare. Only the standard library is used.

exit status: 0 every bar is met, 1 one is missed, 2 the run was not possible
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
PROXY_CORE, LOAD_CORE = 0, 1
KEY = "a-key-of-the-bench-with-enough-characters"
CASES = {
    "small": ["--prompt-bytes", "1000"],
    "large": ["--prompt-bytes", "100000"],
    "stream": ["--prompt-bytes", "1000", "--stream"],
    "latency": ["--prompt-bytes", "1000"],
}


# Ceilings that are counted and never met: what every request costs that is held against some.
LIMITS = """
[providers.upstream.limits]
requests-per-minute = 100_000_000
input-tokens-per-minute = 100_000_000_000
output-tokens-per-minute = 100_000_000_000
concurrent-requests = 10_000

[keys.bench.limits]
requests-per-minute = 100_000_000
tokens-per-minute = 100_000_000_000
"""


class Impossible(Exception):
    """The run cannot be made, and the message says what to do."""


class Server:
    """A process that listens, on one core, with all its children."""

    def __init__(self, name, core, port, command, environment, log):
        self.name, self.port = name, port
        self.process = subprocess.Popen(
            [str(part) for part in command],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )

    def wait_until_up(self, log):
        for _ in range(200):
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        log.seek(0)
        raise Impossible(f"{self.name} does not listen on port {self.port}:\n{log.read()[-2000:]}")

    def tree(self):
        """The process and its living descendants."""
        children = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (fields := stat(entry)):
                children.setdefault(int(fields[1]), []).append(int(entry))
        found, left = [], [self.process.pid]
        while left:
            found.append(left.pop())
            left += children.get(found[-1], [])
        return found

    def cpu_ms(self):
        """CPU time so far, in user and kernel mode, in steps of a clock tick (10 ms)."""
        return sum((int(f[11]) + int(f[12])) * TICK_MS for f in map(stat, self.tree()) if f)

    def memory_mb(self, key):
        total = 0
        for pid in self.tree():
            try:
                lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith(key + ":"))
        return round(total / 1024, 1)

    def settle(self):
        """Waits until what was put off, such as writing the ledger, is done: it belongs to the requests before."""
        until, before = time.monotonic() + 15, self.cpu_ms()
        while time.monotonic() < until:
            time.sleep(0.25)
            now = self.cpu_ms()
            if now - before <= TICK_MS:
                return
            before = now

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def stat(pid):
    """The fields of /proc/PID/stat behind the name, which may hold anything."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def load(binary, port, case, seconds, options):
    how = ["--rate", str(options.rate)] if case == "latency" else ["--connections", str(options.connections)]
    command = [binary, "load", "--to", f"127.0.0.1:{port}", "--key", KEY, "--seconds", str(seconds), *how, *CASES[case]]
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}),
    )
    if done.returncode != 0:
        raise Impossible(f"the load failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


def measure(server, binary, case, options):
    load(binary, server.port, case, min(1, options.seconds), options)
    server.settle()
    cpu, began = server.cpu_ms(), time.monotonic()
    came = load(binary, server.port, case, options.seconds, options)
    busy = server.cpu_ms() - cpu
    took = time.monotonic() - began
    server.settle()
    spent = server.cpu_ms() - cpu
    count = came["events"] if case == "stream" else came["answered"]
    if not count:
        raise Impossible(f"{server.name} answered nothing in case {case}: {came['failed']}")
    return {
        "case": case,
        "proxy": server.name,
        "cpu_us": round(spent * 1000 / count, 2),
        "cpu_after_us": round((spent - busy) * 1000 / count, 2),
        "per_second": round(count / came["seconds"], 1),
        "core_busy": round(busy / 1000 / took, 3),
        "p50_ms": came["latency_us"]["p50"] / 1000,
        "p99_ms": came["latency_us"]["p99"] / 1000,
        "first_p50_ms": came["first_us"]["p50"] / 1000,
        "failed": came["failed"],
        "answered": came["answered"],
        "rss_mb": server.memory_mb("VmRSS"),
        "peak_mb": server.memory_mb("VmHWM"),
    }


class Figures:
    """What was measured, by case and proxy, one value a repetition."""

    def __init__(self, rows):
        self.rows = rows

    def of(self, proxy, case, key):
        return [row[key] for row in self.rows if row["proxy"] == proxy and row.get("case") == case]

    def median(self, proxy, case, key):
        return statistics.median(self.of(proxy, case, key))

    def beside(self, case, key, compare, other="nginx"):
        """Weir's value beside another's of the same repetition; the median over repetitions."""
        pairs = zip(self.of("weir", case, key), self.of(other, case, key))
        return statistics.median(compare(weir, than) for weir, than in pairs)

    def table(self):
        lines = ["| | nginx | Weir | Weir beside nginx |", "|---|---|---|---|"]

        def add(what, case, key, unit, compare, show):
            digits = {"µs": 1, "ms": 2}.get(unit, 0)
            values = [f"{self.median(proxy, case, key):,.{digits}f} {unit}".strip() for proxy in ("nginx", "weir")]
            lines.append(f"| {what} | {' | '.join(values)} | {show.format(self.beside(case, key, compare))} |")

        ratio, difference = (lambda a, b: a / b), (lambda a, b: a - b)
        add("CPU per 1 KB request", "small", "cpu_us", "µs", ratio, "**{:.2f}×**")
        add("CPU per 100 KB request", "large", "cpu_us", "µs", ratio, "**{:.2f}×**")
        add("CPU per streamed event", "stream", "cpu_us", "µs", ratio, "**{:.2f}×**")
        add("latency at p50", "latency", "p50_ms", "ms", difference, "**{:+.2f} ms**")
        add("latency at p99", "latency", "p99_ms", "ms", difference, "**{:+.2f} ms**")
        add("1 KB requests a second, one core", "small", "per_second", "", ratio, "{:.2f}×")
        add("100 KB requests a second, one core", "large", "per_second", "", ratio, "{:.2f}×")
        for what, key in (("memory when idle", "idle"), ("memory after load", "rss_mb"), ("memory at its peak", "peak_mb")):
            values = [f"{self.memory(proxy, key):.1f} MB" for proxy in ("nginx", "weir")]
            lines.append(f"| {what} | {' | '.join(values)} | |")
        return "\n".join(lines)

    def memory(self, proxy, key):
        if key == "idle":
            return self.of(proxy, "idle", "rss_mb")[0]
        values = [row[key] for row in self.rows if row["proxy"] == proxy and row["case"] != "idle"]
        return max(values) if key == "peak_mb" else values[-1]

    def bars(self):
        """Each bar: what it says, the value, the limit, and the unit."""
        ratio, difference = (lambda a, b: a / b), (lambda a, b: a - b)
        return [
            ("CPU per 1 KB request, beside nginx", self.beside("small", "cpu_us", ratio), 2.5, "×"),
            ("CPU per 100 KB request, beside nginx", self.beside("large", "cpu_us", ratio), 3.0, "×"),
            ("CPU per streamed event, beside nginx", self.beside("stream", "cpu_us", ratio), 1.6, "×"),
            ("latency at p50, over nginx", self.beside("latency", "p50_ms", difference), 0.15, " ms"),
            ("latency at p99, over nginx", self.beside("latency", "p99_ms", difference), 1.0, " ms"),
            ("memory after load", self.memory("weir", "rss_mb"), 40.0, " MB"),
        ]


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=HERE, check=True)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def circumstances(options, nginx):
    models = [line for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    changed = first_line("git", "status", "--porcelain", "--untracked-files=no", "--", "../crates/*/src", "../Cargo.lock")
    return {
        "at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": first_line("git", "rev-parse", "--short", "HEAD") + ("" if changed == "unknown" else ", with changes"),
        "nginx": first_line(nginx, "-v"),
        "cpu": models[0].split(":", 1)[1].strip() if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
        "repetitions": options.reps,
        "seconds": options.seconds,
        "connections": options.connections,
        "rate": options.rate,
        "limits": options.limits,
    }


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def filled(name, folder, port, upstream, more=""):
    text = (HERE / name).read_text() + more
    for word, value in (("DIR", folder), ("PORT", port), ("UPSTREAM", upstream)):
        text = text.replace(f"@{word}@", str(value))
    path = folder / name
    path.write_text(text)
    return path


def needed(options):
    """The three programs, and two cores to run them on."""
    nginx = shutil.which(os.environ.get("NGINX", "nginx"), path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not nginx:
        raise Impossible("nginx is not there: `apt-get install nginx-light`, or name it with NGINX=")
    if not {PROXY_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        raise Impossible("two cores are needed, one for the proxy and one for upstream and load")
    programs = [pathlib.Path(options.bin) / name for name in ("weir", "weir-bench")]
    for program in programs:
        if not program.is_file():
            raise Impossible(f"`{program}` is not there: run scripts/bench, which builds it")
    before = pathlib.Path(options.beside or options.bin) / "weir"
    if not before.is_file():
        raise Impossible(f"`{before}` is not there: name a folder with the program `weir` of another build")
    return nginx, *programs


def run(options, programs, out):
    nginx, weir, bench = programs
    about = circumstances(options, nginx)
    out.write(json.dumps({"about": about}) + "\n")
    rows, servers = [], []
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name:
        folder = pathlib.Path(name)
        up, *ports = free_ports(4)
        more = LIMITS if options.limits else ""
        configs = [filled("nginx.conf", folder, ports[0], up), filled("weir.toml", folder, ports[1], up, more)]
        plans = [
            ("upstream", LOAD_CORE, up, [bench, "upstream", "--port", up], {}),
            ("nginx", PROXY_CORE, ports[0], [nginx, "-p", folder, "-c", configs[0]], {}),
            ("weir", PROXY_CORE, ports[1], [weir, "serve", "--config", configs[1]], {"WEIR_BENCH_KEY": KEY}),
        ]
        if options.beside:
            before = folder / "before"
            before.mkdir()
            config = filled("weir.toml", before, ports[2], up, more)
            command = [pathlib.Path(options.beside) / "weir", "serve", "--config", config]
            plans.append(("before", PROXY_CORE, ports[2], command, {"WEIR_BENCH_KEY": KEY}))
        try:
            for plan in plans:
                log = open(folder / f"{plan[0]}.out", "w+", encoding="utf-8")
                servers.append(Server(*plan, log))
                servers[-1].wait_until_up(log)
            time.sleep(1)
            for server in servers[1:]:
                rows.append({"case": "idle", "proxy": server.name, "rss_mb": server.memory_mb("VmRSS")})
                out.write(json.dumps(rows[-1]) + "\n")
            for rep in range(options.reps):
                for case in options.cases:
                    # Who goes first changes, so that a drift of the machine falls on both.
                    for server in servers[1:] if rep % 2 == 0 else servers[:0:-1]:
                        row = {"rep": rep, **measure(server, bench, case, options)}
                        rows.append(row)
                        out.write(json.dumps(row) + "\n")
                        out.flush()
                        print(progress(row), file=sys.stderr, flush=True)
        finally:
            for server in reversed(servers):
                server.stop()
    return about, rows


def progress(row):
    failed = f", FAILED {row['failed']}" if row["failed"] else ""
    return (
        f"{row['rep'] + 1} {row['case']:8} {row['proxy']:6} {row['cpu_us']:8.1f} µs, {row['per_second']:9,.0f} a second,"
        f" p50 {row['p50_ms']:.2f} ms, p99 {row['p99_ms']:.2f} ms, core busy {row['core_busy']:.0%}{failed}"
    )


def report(about, rows):
    """Prints the table and the bars; whether all were met."""
    figures = Figures(rows)
    print(f"\nnginx is {about['nginx']}; {about['cpu']}, {about['cores']} cores; commit {about['commit']}; {about['at']}")
    print(f"Medians of {about['repetitions']} repetitions of {about['seconds']:g} s each.\n\n{figures.table()}\n")
    met = True
    for what, value, limit, unit in figures.bars():
        ok = value <= limit
        met &= ok
        print(f"{'met   ' if ok else 'MISSED'}  {what}: {value:.2f}{unit}, at most {limit:g}{unit}")
    failed = sum(sum(row["failed"].values()) for row in rows if "failed" in row)
    if failed:
        print(f"MISSED  every request answered: {failed} were not, see `failed` in the results")
    return met and not failed


def compare(cases, rows):
    """Prints what a request costs in this build and in the one before it."""
    figures = Figures(rows)
    print("\n| CPU time, µs | nginx, least | before, least | Weir, least | before, median | Weir, median | Weir beside before | Weir beside nginx |")
    print("|---|---|---|---|---|---|---|---|")
    for case in cases:
        cpu = {proxy: figures.of(proxy, case, "cpu_us") for proxy in ("nginx", "before", "weir")}
        least = " | ".join(f"{min(values):.1f}" for values in cpu.values())
        median = " | ".join(f"{statistics.median(cpu[proxy]):.1f}" for proxy in ("before", "weir"))
        ratios = [figures.beside(case, "cpu_us", lambda a, b: a / b, other) for other in ("before", "nginx")]
        print(f"| {case} | {least} | {median} | {ratios[0]:.2f}× | {ratios[1]:.2f}× |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = os.environ.get("CARGO_TARGET_DIR", str(HERE.parent / "target"))
    today = datetime.date.today().isoformat()
    parser.add_argument("--bin", default=f"{target}/release", help="folder of the programs weir and weir-bench")
    parser.add_argument("--reps", type=int, default=3, help="repetitions of every case (default 3)")
    parser.add_argument("--seconds", type=float, default=4, help="of load in each (default 4)")
    parser.add_argument("--connections", type=int, default=64, help="of the closed loop (default 64)")
    parser.add_argument("--rate", type=float, default=200, help="requests a second of the open loop (default 200)")
    parser.add_argument("--cases", type=lambda text: text.split(","), default=list(CASES), help="measure only these; no bars")
    parser.add_argument("--limits", action="store_true", help="hold each request against limits of the provider and the key")
    parser.add_argument("--beside", metavar="FOLDER", help="measure the program weir of another build in the same turns")
    parser.add_argument("--name", default=today, help="results go to bench/results/NAME.jsonl (default: the date)")
    options = parser.parse_args()
    unknown = set(options.cases) - set(CASES)
    if unknown or options.reps < 1 or options.seconds <= 0:
        parser.error(f"unknown case {', '.join(sorted(unknown))}" if unknown else "--reps and --seconds must be positive")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    results = HERE / "results" / f"{options.name}.jsonl"
    results.parent.mkdir(exist_ok=True)
    try:
        programs = needed(options)
        with open(results, "w", encoding="utf-8") as out:
            about, rows = run(options, programs, out)
    except (Impossible, subprocess.TimeoutExpired) as why:
        print(f"error: {why}", file=sys.stderr)
        return 2
    print(f"results are in {os.path.relpath(results)}", file=sys.stderr)
    if options.beside:
        compare(options.cases, rows)
    if options.cases != list(CASES):
        return 0
    return 0 if report(about, rows) else 1


if __name__ == "__main__":
    sys.exit(main())
