#!/usr/bin/env python3
"""Measures what telemetry costs: Weir with every request traced and metrics sent, beside Weir without, in one run, in turns.

Both have core 0; the upstream, the load and the receiver core 1. The bar is 15 % of CPU time per request.

exit status: 0 the bar is met, 1 it is missed, 2 the run was not possible
"""

import argparse
import http.server
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import threading

import run

BAR = 0.15
TELEMETRY = """
[telemetry]
endpoint = "http://127.0.0.1:@RECEIVER@"
interval = "1s"
"""


class Sink(http.server.BaseHTTPRequestHandler):
    """Takes everything and counts it."""

    protocol_version = "HTTP/1.1"
    taken = 0

    def do_POST(self):
        Sink.taken += len(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def measure(options, weir, bench):
    os.sched_setaffinity(0, {run.LOAD_CORE})
    sink = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    rows, servers = [], []
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name:
        folder = pathlib.Path(name)
        up, *ports = run.free_ports(3)
        plans = [("upstream", run.LOAD_CORE, up, [bench, "upstream", "--port", up], {})]
        for kind, port, more in (("off", ports[0], ""), ("on", ports[1], TELEMETRY.replace("@RECEIVER@", str(sink.server_port)))):
            own = folder / kind
            own.mkdir()
            config = run.filled("weir.toml", own, port, up, more)
            plans.append((kind, run.PROXY_CORE, port, [weir, "serve", "--config", config], {"WEIR_BENCH_KEY": run.KEY}))
        try:
            for plan in plans:
                log = open(folder / f"{plan[0]}.out", "w+", encoding="utf-8")
                servers.append(run.Server(*plan, log))
                servers[-1].wait_until_up(log)
            for rep in range(options.reps):
                for case in options.cases:
                    for server in servers[1:] if rep % 2 == 0 else servers[:0:-1]:
                        row = {"rep": rep, **run.measure(server, bench, case, options)}
                        rows.append(row)
                        print(run.progress(row), file=sys.stderr, flush=True)
        finally:
            for server in reversed(servers):
                server.stop()
    if Sink.taken == 0:
        raise run.Impossible("the receiver got nothing")
    return rows


def report(options, rows):
    met = True
    for case in options.cases:
        of = lambda kind: [row["cpu_us"] for row in rows if row["proxy"] == kind and row["case"] == case]
        more = statistics.median(on / off - 1 for on, off in zip(of("on"), of("off")))
        met &= more <= BAR
        off, on = statistics.median(of("off")), statistics.median(of("on"))
        print(f"{'met   ' if more <= BAR else 'MISSED'}  {case}: {off:.1f} µs without, {on:.1f} µs with, {more:+.1%}, at most {BAR:+.0%}")
    return met


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = os.environ.get("CARGO_TARGET_DIR", str(run.HERE.parent / "target"))
    parser.add_argument("--bin", default=f"{target}/release", help="folder of the programs weir and weir-bench")
    parser.add_argument("--reps", type=int, default=3, help="repetitions of every case (default 3)")
    parser.add_argument("--seconds", type=float, default=4, help="of load in each (default 4)")
    parser.add_argument("--connections", type=int, default=64, help="of the closed loop (default 64)")
    parser.add_argument("--cases", type=lambda text: text.split(","), default=["small", "stream"], help="measure only these")
    parser.add_argument("--json", type=pathlib.Path, help="write each measurement as a line to this file")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    programs = [pathlib.Path(options.bin) / name for name in ("weir", "weir-bench")]
    try:
        for program in programs:
            if not program.is_file():
                raise run.Impossible(f"`{program}` is not there: `cargo build --release -p weir -p weir-bench` builds it")
        rows = measure(options, *programs)
    except (run.Impossible, subprocess.TimeoutExpired) as why:
        print(f"error: {why}", file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return 0 if report(options, rows) else 1


if __name__ == "__main__":
    sys.exit(main())
