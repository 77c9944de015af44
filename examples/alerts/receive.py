"""Takes Weir's alerts on port 4199 and prints those that Weir has signed."""

import hashlib, hmac, http.server, json, os, time


def is_from_weir(header: str, body: bytes, secret: str) -> bool:
    parts = dict(part.split("=", 1) for part in header.split(","))
    expected = hmac.new(secret.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, parts["v1"]) and abs(time.time() - int(parts["t"])) < 300


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = is_from_weir(self.headers.get("x-weir-signature", "t=0,v1="), body, os.environ["ALERTS_SECRET"])
        self.send_response(200 if signed else 403)
        self.end_headers()
        if signed:
            told = json.loads(body)
            print(self.path, told["event"], told["title"], *told["alert"]["evidence"], sep="\n  ", flush=True)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    http.server.HTTPServer(("127.0.0.1", 4199), Receiver).serve_forever()
