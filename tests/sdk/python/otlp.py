"""A receiver of OTLP over HTTP that decodes with the official protobuf definitions and keeps what it got."""

import gzip
import threading
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import eventually
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

Span = namedtuple("Span", "name kind trace id parent state flags begin end attributes events links status message resource")
Event = namedtuple("Event", "name at attributes")
Link = namedtuple("Link", "trace id attributes")
Point = namedtuple("Point", "attributes value count sum buckets bounds since")

SERVER, CLIENT, ERROR = 2, 3, 2


def value(any_value):
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value(item) for item in any_value.array_value.values]
    return getattr(any_value, kind)


def attributes(pairs):
    found = {pair.key: value(pair.value) for pair in pairs}
    assert len(found) == len(pairs), "no attribute is there twice"
    return found


def spans_of(request):
    for each in request.resource_spans:
        resource = attributes(each.resource.attributes)
        for scope in each.scope_spans:
            for s in scope.spans:
                assert len(s.trace_id) == 16 and len(s.span_id) == 8 and len(s.parent_span_id) in (0, 8)
                assert s.start_time_unix_nano <= s.end_time_unix_nano
                events = [Event(e.name, e.time_unix_nano, attributes(e.attributes)) for e in s.events]
                links = [Link(l.trace_id.hex(), l.span_id.hex(), attributes(l.attributes)) for l in s.links]
                yield Span(
                    s.name, s.kind, s.trace_id.hex(), s.span_id.hex(), s.parent_span_id.hex(), s.trace_state, s.flags,
                    s.start_time_unix_nano, s.end_time_unix_nano, attributes(s.attributes), events, links,
                    s.status.code, s.status.message, resource,
                )


def metrics_of(request):
    found = {}
    for each in request.resource_metrics:
        for scope in each.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                data = getattr(metric, kind)
                if kind != "gauge":
                    assert data.aggregation_temporality == 2, "sums add up since the start"
                points = []
                for p in data.data_points:
                    if kind == "histogram":
                        assert len(p.bucket_counts) == len(p.explicit_bounds) + 1 and sum(p.bucket_counts) == p.count
                        shape = (None, p.count, p.sum, list(p.bucket_counts), list(p.explicit_bounds))
                    else:
                        shape = (getattr(p, p.WhichOneof("value")), None, None, None, None)
                    points.append(Point(attributes(p.attributes), *shape, p.start_time_unix_nano))
                found[metric.name] = points
    return found


class Trace:
    """The spans of one request: its own, its stages, its attempts."""

    def __init__(self, spans):
        self.spans = spans
        (self.request,) = [span for span in spans if span.kind == SERVER]
        self.attempts = sorted((s for s in spans if s.kind == CLIENT), key=lambda s: s.attributes["weir.attempt"])
        self.stages = {span.name: span for span in spans if span.kind not in (SERVER, CLIENT)}

    def event(self, name):
        (event,) = [event for event in self.request.events if event.name == name]
        return event.attributes

    def events(self):
        return [event.name for event in self.request.events]


class Receiver:
    """Listens on a port that the system chose; `answer` makes it say something else than 200."""

    def __init__(self, port=0):
        self.lock, self.spans, self.metrics, self.seen = threading.Lock(), [], {}, []
        self.answers = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer.take(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, request):
        body = request.rfile.read(int(request.headers["content-length"]))
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        assert request.headers["content-type"] == "application/x-protobuf"
        with self.lock:
            self.seen.append((request.path, dict(request.headers)))
            status, headers, said = self.answers.pop(0) if self.answers and request.path.endswith("traces") else (200, {}, b"")
            if status == 200 and request.path == "/v1/traces":
                self.spans.extend(spans_of(ExportTraceServiceRequest.FromString(body)))
            elif status == 200 and request.path == "/v1/metrics":
                self.metrics = metrics_of(ExportMetricsServiceRequest.FromString(body))
        request.send_response(status)
        for name, text in headers.items():
            request.send_header(name, text)
        request.send_header("content-length", str(len(said)))
        request.end_headers()
        request.wfile.write(said)

    def answer(self, status, said=b"", **headers):
        """The next export of traces is answered like this."""
        with self.lock:
            self.answers.append((status, {name.replace("_", "-"): text for name, text in headers.items()}, said))

    def reject(self, count, why):
        response = ExportTraceServiceResponse()
        response.partial_success.rejected_spans, response.partial_success.error_message = count, why
        self.answer(200, response.SerializeToString())

    def everything(self):
        with self.lock:
            return list(self.spans)

    def requests(self):
        return {span.attributes["weir.request"]: span for span in self.everything() if span.kind == SERVER}

    def trace(self, request_id):
        """The trace of a request, when it is here."""
        request = eventually(lambda: self.requests().get(request_id), f"spans of {request_id}")
        # All spans of a request come in one export. Several requests may share a trace, but no span's parent.
        spans, wanted = self.everything(), {request.id}
        while True:
            found = [s for s in spans if s.id in wanted or s.parent in wanted]
            if len({s.id for s in found}) == len(wanted):
                return Trace(found)
            wanted = {s.id for s in found}

    def points(self, name, **wanted):
        with self.lock:
            return [p for p in self.metrics.get(name, []) if all(p.attributes.get(k.replace("__", ".")) == v for k, v in wanted.items())]

    def total(self, name, **wanted):
        return sum(p.value if p.count is None else p.count for p in self.points(name, **wanted))

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
