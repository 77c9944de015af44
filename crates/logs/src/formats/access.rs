//! Access logs: nginx's combined format and what looks like it, Envoy's, that of Amazon's load balancer, and uvicorn's, which
//! LiteLLM's proxy writes.

use std::borrow::Cow;

use super::providers;
use crate::call::{Call, Endpoint, Format, NO_TARGET};
use crate::values;
use weir_units::WallTime;

/// What a line of an access log is.
pub(super) enum Line<'a> {
    /// A call of a model.
    Call(Box<Call<'a>>),
    /// A request to some other path.
    Other(Format),
    /// No line of an access log.
    No,
}

/// Reads a line.
pub(super) fn read(line: &str) -> Line<'_> {
    let found = alb(line).or_else(|| envoy(line)).or_else(|| uvicorn(line)).or_else(|| nginx(line));
    let Some((mut call, path)) = found else { return no_request(line).map_or(Line::No, Line::Other) };
    call.endpoint = Endpoint::of_path(path);
    if call.endpoint.is_none() {
        return Line::Other(call.format);
    }
    call.model = providers::model_in(path).map(|model| Cow::Owned(model.to_owned()));
    if call.provider.is_none() {
        call.provider = providers::of_host(path).map(Cow::Borrowed);
    }
    super::object::tidy_model(&mut call);
    Line::Call(Box::new(call))
}

/// Whose line it is where what came was no request of HTTP, as that of a scanner or of a client that said nothing.
fn no_request(line: &str) -> Option<Format> {
    let time = |word: &str| word.len() >= 10 && values::time(word).is_some();
    if line.starts_with("[20") {
        let mut words = words(line);
        let (at, request, code) = (words.next()?, words.next()?, words.next()?);
        return (time(at) && request == "- - -" && code.parse::<u16>().is_ok()).then_some(Format::Envoy);
    }
    let words: Vec<&str> = words(line).take(14).collect();
    if let ["http" | "https" | "h2" | "grpcs" | "ws" | "wss", at, ..] = words[..] {
        return (time(at) && words.get(12).is_some_and(|request| request.starts_with("- "))).then_some(Format::Alb);
    }
    let at = words.iter().take(6).position(|word| time(word))?;
    let quoted = line.contains("] \"");
    let status = words.get(at + 2).is_some_and(|word| super::errors::status(word).is_some());
    (quoted && status).then_some(Format::Nginx)
}

type Found<'a> = Option<(Call<'a>, &'a str)>;

/// The words of a line: what is in quotes or brackets is one.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t']);
        let (open, close) = match rest.as_bytes().first()? {
            b'"' => (1, '"'),
            b'[' => (1, ']'),
            _ => (0, ' '),
        };
        let inside = &rest[open..];
        let end = if close == '"' { closing_quote(inside) } else { inside.find(close) };
        match end {
            Some(end) => {
                rest = inside.get(end + 1..).unwrap_or_default();
                Some(&inside[..end])
            }
            None => {
                rest = "";
                Some(inside)
            }
        }
    })
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr(b'"', &text.as_bytes()[from..])?;
        if at == 0 || text.as_bytes()[at - 1] != b'\\' {
            return Some(at);
        }
        from = at + 1;
    }
}

/// The path in `POST /v1/x HTTP/1.1`.
fn path_of(request: &str) -> Option<&str> {
    let mut parts = request.split(' ');
    let method = parts.next()?;
    let known = ["POST", "GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE"];
    let path = parts.next()?;
    known.contains(&method).then_some(path)
}

/// A time at which the line was written, when the answer had ended, and the span before it.
fn ending<'a>(call: &mut Call<'a>, ended: WallTime, took: Option<i64>) {
    call.at = Some(WallTime(ended.0 - took.unwrap_or(0)));
    call.ended = took.map(|_| ended);
}

/// Whether a word is a number of seconds, `1.250`, and no address.
fn is_seconds(word: &str) -> bool {
    let (whole, part) = word.split_once('.').unwrap_or_default();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(part)
}

fn named(text: &str) -> Option<Cow<'_, str>> {
    (!matches!(text, "" | "-")).then_some(Cow::Borrowed(text))
}

/// `10.0.0.1 - bob [18/Nov/2026:14:47:03 +0000] "POST /v1/x HTTP/1.1" 200 612 "-" "curl" …`, and what else has a time, a request
/// and a status in this order.
fn nginx(line: &str) -> Found<'_> {
    let mut words = words(line);
    let (mut first, mut user, mut at, mut path) = (None, None, None, None);
    let (mut number, mut numbers, mut shift, mut host) = (None, 0, 0, None);
    for (place, word) in words.by_ref().enumerate().take(24) {
        if let Some(found) = path_of(word) {
            path = Some(found);
            break;
        }
        let address = || word.parse::<std::net::IpAddr>().is_ok();
        match place {
            0 => first = named(word),
            // A virtual host's name may stand before the client's address.
            1 if address() => (shift, host, first) = (1, first, named(word)),
            _ if place == 2 + shift => user = named(word),
            _ if at.is_some() && is_seconds(word) => (number, numbers) = (values::span(word, 1e6), 1),
            _ => {}
        }
        at = at.or_else(|| if word.len() >= 10 { values::time(word) } else { None });
    }
    let status = super::errors::status(words.next()?)?;
    let path = path?;
    let mut call = Call::new(Format::Nginx).with_status(status);
    call.abandoned = status == 499;
    // Where a user has a name, it is whose call it is; else it is an address's.
    call.user = user.filter(|_| at.is_some()).or(first.filter(|text| !text.starts_with("time")));
    call.provider = host.as_deref().and_then(providers::of_host).map(Cow::Borrowed);
    let mut took = None;
    for word in words {
        let named = word.split_once(['=', ':']);
        match named {
            Some(("rt" | "request_time" | "duration", value)) => took = values::span(value.trim_matches('"'), 1e6),
            Some(("model", value)) => call.model = Some(Cow::Borrowed(value.trim_matches('"'))),
            Some(("host" | "upstream_host" | "upstream", value)) if call.provider.is_none() => {
                call.provider = providers::of_host(value.trim_matches('"')).map(Cow::Borrowed);
            }
            Some(("time" | "ts" | "msec", value)) => at = at.or_else(|| values::time(value)),
            _ if is_seconds(word) => {
                number = number.or_else(|| values::span(word, 1e6));
                numbers += 1;
            }
            _ => {}
        }
    }
    // A number with a point is `$request_time`, which the manual adds behind all else, and what comes after it is of the hosts behind.
    took = took.or(number.filter(|_| numbers <= 6));
    if let Some(at) = at {
        ending(&mut call, at, took);
    }
    Some((call, path))
}

/// `[2026-11-18T14:47:03.114Z] "POST /v1/x HTTP/2" 200 - 154 226 100 99 "10.0.0.1" "agent" "id" "api.openai.com" "10.0.2.1:443"`
fn envoy(line: &str) -> Found<'_> {
    if !line.starts_with("[20") {
        return None;
    }
    let mut words = words(line);
    let at = values::time(words.next()?)?;
    let path = path_of(words.next()?)?;
    let code = words.next()?;
    let flags = words.next()?;
    let mut call = Call::new(Format::Envoy);
    match code {
        "0" => call.failed = true,
        _ => call = call.with_status(super::errors::status(code)?),
    }
    call.abandoned = flags.contains("DC") && !flags.contains("UPE");
    if flags != "-" && call.failed {
        call.error = Some(Cow::Borrowed(flags));
    }
    // Istio says more between the flags and the bytes.
    let rest: Vec<&str> = words.collect();
    let numbers = rest
        .windows(3)
        .position(|three| three.iter().all(|word| word.bytes().all(|b| b.is_ascii_digit()) && !word.is_empty()));
    let took = numbers.and_then(|from| values::span(rest[from + 2], 1e3));
    call.at = Some(at);
    call.ended = took.map(|took| WallTime(at.0 + took));
    if let Some(from) = numbers {
        let texts = &rest[(from + 4).min(rest.len())..];
        call.user = texts.first().and_then(|text| named(text));
        call.id = texts.get(2).and_then(|text| named(text));
        call.provider = texts.iter().skip(3).find_map(|text| providers::of_host(text)).map(Cow::Borrowed);
    }
    Some((call, path))
}

/// `https 2026-11-18T14:47:03.114Z app/lb/1 10.0.0.1:2817 10.0.0.2:80 0.000 0.001 0.000 200 200 34 366 "POST https://h:443/v1/x HTTP/1.1" …`
fn alb(line: &str) -> Found<'_> {
    let (kind, _) = line.split_once(' ')?;
    if !matches!(kind, "http" | "https" | "h2" | "grpcs" | "ws" | "wss") {
        return None;
    }
    let words: Vec<&str> = words(line).take(18).collect();
    let [_, time, _, client, _, before, target, after, status, target_status, _, _, request, ..] = words[..] else {
        return None;
    };
    let ended = values::time(time)?;
    let path = path_of(request)?;
    let mut call = Call::new(Format::Alb);
    // Where the target said nothing, the balancer answered by itself.
    call = match super::errors::status(status) {
        Some(status) => call.with_status(status),
        None => Call { failed: true, ..call },
    };
    call.abandoned = matches!(status, "460" | "499");
    if target_status == "-" && call.failed {
        call.error = Some(Cow::Borrowed(NO_TARGET));
    }
    let took: Option<i64> = [before, target, after].iter().map(|part| values::span(part, 1e6)).sum();
    ending(&mut call, ended, took);
    call.user = client.rsplit_once(':').and_then(|(address, _)| named(address));
    call.id = words.get(17).and_then(|trace| named(trace));
    Some((call, path))
}

/// `INFO:     127.0.0.1:37712 - "POST /v1/chat/completions HTTP/1.1" 200 OK`, also without the level.
fn uvicorn(line: &str) -> Found<'_> {
    let at = line.find(" - \"")?;
    let (before, rest) = line.split_at(at);
    // An address with a port and nothing between it and the dash.
    let client = before.rsplit(' ').next()?;
    let (address, port) = client.rsplit_once(':')?;
    if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) || before.contains('[') {
        return None;
    }
    let request = &rest[4..];
    let end = closing_quote(request)?;
    let path = path_of(&request[..end])?;
    let status = super::errors::status(request[end + 1..].trim())?;
    let mut call = Call::new(Format::LiteLlmProxy).with_status(status);
    call.user = named(address);
    call.at = values::leading_time(before).map(|(at, _)| at);
    Some((call, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::read as read_line;

    fn call(line: &str) -> Call<'_> {
        match read_line(line) {
            Line::Call(call) => *call,
            Line::Other(format) => panic!("{format:?} to another path: {line}"),
            Line::No => panic!("not read: {line}"),
        }
    }

    const AT: i64 = 1_795_013_223_000_000;

    #[test]
    fn combined_lines_are_read_with_the_time_they_took() {
        let line = r#"10.0.0.1 - bob [18/Nov/2026:14:47:03 +0000] "POST /v1/chat/completions HTTP/1.1" 429 612 "-" "OpenAI/Python 1.58" rt=1.250 uct=0.001"#;
        let read = call(line);
        assert_eq!((read.format, read.status, read.failed), (Format::Nginx, Some(429), true));
        assert_eq!(read.at, Some(WallTime(AT - 1_250_000)));
        assert_eq!(read.user.as_deref(), Some("bob"));
        let line = r#"10.0.0.1 - - [18/Nov/2026:15:47:03 +0100] "POST /openai/deployments/gpt-4o/chat/completions?api-version=2024 HTTP/1.1" 200 612 "-" "x" 0.5"#;
        let read = call(line);
        assert_eq!((read.model.as_deref(), read.user.as_deref()), (Some("gpt-4o"), Some("10.0.0.1")));
        assert_eq!(read.at, Some(WallTime(AT - 500_000)));
        assert!(matches!(
            read_line(r#"10.0.0.1 - - [18/Nov/2026:14:47:03 +0000] "GET /health HTTP/1.1" 200 2 "-" "x""#),
            Line::Other(Format::Nginx)
        ));
    }

    #[test]
    fn envoy_is_read_in_its_own_format_and_in_istios() {
        let line = r#"[2026-11-18T14:47:03.000Z] "POST /v1/messages HTTP/2" 503 UF 154 91 1200 - "10.0.35.28" "agent" "cc21d9b0-cf5c" "api.anthropic.com" "10.0.2.1:443""#;
        let read = call(line);
        assert_eq!(
            (read.status, read.error.as_deref(), read.provider.as_deref()),
            (Some(503), Some("UF"), Some("anthropic"))
        );
        assert_eq!((read.at, read.ended), (Some(WallTime(AT)), Some(WallTime(AT + 1_200_000))));
        let line = r#"[2026-11-18T14:47:03.000Z] "POST /v1/responses HTTP/1.1" 0 DC via_upstream - "-" 0 0 25 - "10.0.0.9" "agent" "id-1" "api.openai.com" "1.2.3.4:443" outbound|443||api.openai.com - - - - -"#;
        let read = call(line);
        assert_eq!((read.status, read.failed, read.abandoned), (None, true, true));
        assert_eq!((read.provider.as_deref(), read.id.as_deref()), (Some("openai"), Some("id-1")));
    }

    #[test]
    fn a_load_balancers_line_is_read() {
        let line = r#"https 2026-11-18T14:47:03.000000Z app/my-lb/50dc6c 192.168.131.39:2817 10.0.0.1:80 0.086 0.048 0.037 429 429 0 57 "POST https://www.example.com:443/v1/chat/completions HTTP/1.1" "curl/7.46.0" ECDHE TLSv1.2 arn:aws:x "Root=1-58337281-1d84" "www.example.com" "arn" 1 2026-11-18T14:47:02.8Z "forward" "-" "-" "10.0.0.1:80" "429" "-" "-""#;
        let read = call(line);
        assert_eq!((read.format, read.status, read.user.as_deref()), (Format::Alb, Some(429), Some("192.168.131.39")));
        assert_eq!((read.at, read.id.as_deref()), (Some(WallTime(AT - 171_000)), Some("Root=1-58337281-1d84")));
        let line = r#"http 2026-11-18T14:47:03.000000Z app/lb/1 10.0.0.1:2817 - -1 -1 -1 504 - 0 57 "POST http://h:80/v1/messages HTTP/1.1" "c" - - arn "Root=1" "-" "-" 0 2026-11-18T14:46:03Z "forward""#;
        let read = call(line);
        assert_eq!((read.status, read.at, read.ended), (Some(504), Some(WallTime(AT)), None));
    }

    #[test]
    fn the_lines_of_litellms_server_are_read() {
        let read = call(r#"INFO:     127.0.0.1:37712 - "POST /chat/completions HTTP/1.1" 429 Too Many Requests"#);
        assert_eq!((read.format, read.status, read.at), (Format::LiteLlmProxy, Some(429), None));
    }

    #[test]
    fn what_is_no_line_of_an_access_log_is_told() {
        for line in [
            "",
            "hello",
            "[2026-11-18T14:47:03.000Z] hello",
            "https x",
            r#"10.0.0.1 - - [18/Nov/2026:14:47:03 +0000] "POST /v1/chat"#,
            r#"a "POST /v1/messages HTTP/1.1" x"#,
        ] {
            assert!(matches!(read_line(line), Line::No), "{line}");
        }
    }
}
