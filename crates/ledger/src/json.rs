//! Writes records as JSON, member by member.
//!
//! A record is well over a kilobyte and there is one per request, so writing it was a fifth of all that a small request
//! costs while serde's derive did it: it looks through every name for what must be escaped, and takes a map's way for a
//! fact within an event. Here names and numbers are copied, and only texts are looked through.

use std::cell::Cell;
use std::fmt::Write;
use std::sync::Arc;

use weir_units::{NanoUsd, TraceContext, Usage, WallTime};

use crate::entry::{Attempt, Entry};
use crate::fact::{Event, Fact, WALL_TIME, rfc_3339};

/// The most that is kept for the next record; one attempt takes a tenth of it.
const LARGEST_KEPT: usize = 16 * 1024;

/// Begins a member. Names need no escapes, so each is put together when this is compiled.
macro_rules! name {
    ($json:ident, $name:literal) => {
        $json.begin(concat!(",\"", $name, "\":"))
    };
}

impl Entry {
    /// The record as JSON.
    #[must_use]
    pub fn to_json(&self) -> Arc<str> {
        self.written(Json::begun())
    }

    /// The record as it is stored: without what a reader knows all the same, as [`crate::stored`] has it.
    pub(crate) fn to_stored(&self) -> Arc<str> {
        self.written(Json { sparse: true, told: in_order(self.started_at), ..Json::begun() })
    }

    fn written(&self, mut json: Json) -> Arc<str> {
        json.object(|json| {
            name!(json, "id").text(&self.id.to_string());
            name!(json, "run").some_text(self.run.as_deref());
            name!(json, "key").some_text(self.key.as_deref());
            name!(json, "tenant").some_text(self.tenant.as_deref());
            name!(json, "tags").tags(&self.tags);
            name!(json, "route").some_text(self.route.as_deref());
            name!(json, "model").some_text(self.model.as_deref());
            name!(json, "dialect").word(self.dialect);
            name!(json, "endpoint").word(self.endpoint);
            name!(json, "stream").flag(self.stream);
            name!(json, "trace").trace(self.trace);
            name!(json, "sdk_retry").some_number(self.sdk_retry.map(u64::from));
            name!(json, "content").some_hex(self.content);
            name!(json, "outcome").word(self.outcome.name());
            name!(json, "status").some_number(self.status.map(u64::from));
            name!(json, "code").some_text(self.code.as_deref());
            name!(json, "refused_by").some_text(self.refused_by.as_deref());
            name!(json, "started_at").time(self.started_at);
            match self.ended_at {
                Some(at) => name!(json, "ended_at").time(at),
                None => name!(json, "ended_at").nothing("null"),
            }
            name!(json, "first_content_ms").some_number(self.first_content_ms);
            name!(json, "queued_ms").number(self.queued_ms);
            name!(json, "overhead_us").some_number(self.overhead_us);
            name!(json, "cost_usd").dollars(self.cost_usd);
            name!(json, "cost_estimated").flag(self.cost_estimated);
            name!(json, "usage").usage(self.usage.as_ref());
            name!(json, "degraded").array(&self.degraded, |json, what| json.text(what));
            name!(json, "attempts").array(&self.attempts, Json::attempt);
            name!(json, "events").array(&self.events, Json::event);
        });
        json.shared()
    }
}

impl Event {
    /// The fact with its time and stage as JSON: `{"at": "2026-…Z", "stage": "call", "fact": "AttemptFailed", …}`.
    #[must_use]
    pub fn to_json(&self) -> Arc<str> {
        let mut json = Json::begun();
        json.event(self);
        json.shared()
    }
}

thread_local! {
    /// Where records are written, one after the other, before each is copied into its own allocation of just its size.
    static BUFFER: Cell<String> = const { Cell::new(String::new()) };
}

/// JSON in the making.
struct Json {
    text: String,
    /// The time that was written last, and where: most times of a record are the same millisecond.
    last: Option<(i64, usize)>,
    /// The name of the member in hand, until there is something to say of it.
    name: &'static str,
    /// Whether members that say nothing are left out.
    sparse: bool,
    /// The time of the fact before, in milliseconds; of the first one, when its request arrived.
    told: Option<i64>,
}

impl Json {
    fn begun() -> Self {
        Self { text: BUFFER.take(), last: None, name: "", sparse: false, told: None }
    }

    fn shared(mut self) -> Arc<str> {
        let text = Arc::from(self.text.as_str());
        self.text.clear();
        self.text.shrink_to(LARGEST_KEPT);
        BUFFER.set(self.text);
        text
    }

    fn literal(&mut self, text: &str) {
        self.named();
        self.text.push_str(text);
    }

    fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.named();
        self.text.push('{');
        members(self);
        self.text.push('}');
    }

    /// Begins a member with what [`name!`] made of its name.
    fn begin(&mut self, name: &'static str) -> &mut Self {
        self.name = name;
        self
    }

    /// Writes the name of the member in hand, before whatever writes its value.
    fn named(&mut self) {
        let name = std::mem::take(&mut self.name);
        if !name.is_empty() {
            let after_another = !self.text.ends_with('{');
            self.text.push_str(if after_another { name } else { &name[1..] });
        }
    }

    /// The value of a member that says nothing.
    fn nothing(&mut self, value: &str) {
        if self.sparse {
            self.name = "";
        } else {
            self.literal(value);
        }
    }

    fn text(&mut self, text: &str) {
        if needs_escapes(text.as_bytes()) {
            // A text always serialises.
            self.literal(&serde_json::to_string(text).unwrap_or_default());
        } else {
            self.word(text);
        }
    }

    /// A text that needs no escapes.
    fn word(&mut self, text: &str) {
        self.named();
        self.text.push('"');
        self.text.push_str(text);
        self.text.push('"');
    }

    fn some_text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.nothing("null"),
        }
    }

    fn number(&mut self, number: u64) {
        match number {
            0 => self.nothing("0"),
            number => self.digits(number),
        }
    }

    fn digits(&mut self, number: u64) {
        self.named();
        self.text.push_str(itoa::Buffer::new().format(number));
    }

    fn some_number(&mut self, number: Option<u64>) {
        match number {
            Some(number) => self.digits(number),
            None => self.nothing("null"),
        }
    }

    fn flag(&mut self, flag: bool) {
        if flag {
            self.literal("true");
        } else {
            self.nothing("false");
        }
    }

    fn some_hex(&mut self, number: Option<u64>) {
        match number {
            Some(number) => {
                self.named();
                // Writing to a text does not fail.
                let _ = write!(self.text, "\"{number:016x}\"");
            }
            None => self.nothing("null"),
        }
    }

    fn trace(&mut self, trace: Option<TraceContext>) {
        match trace {
            Some(TraceContext { trace_id, parent: 0, flags }) => {
                self.named();
                let _ = write!(self.text, r#"{{"id":"{trace_id:032x}","parent":null,"flags":{flags}}}"#);
            }
            Some(TraceContext { trace_id, parent, flags }) => {
                self.named();
                let _ = write!(self.text, r#"{{"id":"{trace_id:032x}","parent":"{parent:016x}","flags":{flags}}}"#);
            }
            None => self.nothing("null"),
        }
    }

    /// Money is a decimal in quotes: most readers would make a float of a number.
    fn dollars(&mut self, amount: Option<NanoUsd>) {
        match amount {
            Some(amount) => {
                self.named();
                // Writing to a text does not fail.
                let _ = write!(self.text, "\"{amount}\"");
            }
            None => self.nothing("null"),
        }
    }

    fn time(&mut self, at: WallTime) {
        self.named();
        if let Some((millis, place)) = self.last
            && millis == at.millis()
        {
            return self.text.extend_from_within(place..place + WALL_TIME + 2);
        }
        let place = self.text.len();
        match rfc_3339(at) {
            Some(text) => {
                self.word(std::str::from_utf8(&text).unwrap_or_default());
                self.last = Some((at.millis(), place));
            }
            None => self.word(&at.to_string()),
        }
    }

    fn array<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        if items.is_empty() {
            return self.nothing("[]");
        }
        self.named();
        self.text.push('[');
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                self.text.push(',');
            }
            write(self, item);
        }
        self.text.push(']');
    }

    /// The names are few and of harmless characters, and written like any other text all the same.
    fn tags(&mut self, tags: &[(Arc<str>, Arc<str>)]) {
        if tags.is_empty() {
            return self.nothing("{}");
        }
        self.object(|json| {
            for (place, (name, value)) in tags.iter().enumerate() {
                if place > 0 {
                    json.literal(",");
                }
                json.text(name);
                json.literal(":");
                json.text(value);
            }
        });
    }

    fn usage(&mut self, usage: Option<&Usage>) {
        let Some(usage) = usage else { return self.nothing("null") };
        self.object(|json| {
            name!(json, "input").number(usage.input.0);
            name!(json, "cached_input").number(usage.cached_input.0);
            name!(json, "cache_write").number(usage.cache_write.0);
            name!(json, "cache_write_long").number(usage.cache_write_long.0);
            name!(json, "output").number(usage.output.0);
            name!(json, "reasoning").number(usage.reasoning.0);
        });
    }

    fn attempt(&mut self, attempt: &Attempt) {
        self.object(|json| {
            name!(json, "deployment").text(&attempt.deployment);
            name!(json, "status").some_number(attempt.status.map(u64::from));
            name!(json, "class").some_text(attempt.class.map(weir_units::FaultClass::name));
            name!(json, "message").some_text(attempt.message.as_deref());
            name!(json, "upstream_id").some_text(attempt.upstream_id.as_deref());
            name!(json, "started_at").time(attempt.started_at);
            name!(json, "ended_at").time(attempt.ended_at);
            name!(json, "usage").usage(attempt.usage.as_ref());
            name!(json, "cost_usd").dollars(attempt.cost_usd);
            name!(json, "cost_estimated").flag(attempt.cost_estimated);
        });
    }

    /// A fact is written whole, whatever it says: what it leaves out means what its name says it means.
    fn event(&mut self, event: &Event) {
        let sparse = std::mem::replace(&mut self.sparse, false);
        self.text.push('{');
        let at = in_order(event.at);
        if !sparse || at.is_none() || self.told != at {
            name!(self, "at").time(event.at);
        }
        self.told = at;
        name!(self, "stage").word(event.stage.name());
        if !self.usual_fact(&event.fact) {
            // The fact is an object of its own; its members go on in this one.
            self.text.push(',');
            let fact = serde_json::to_string(&event.fact).unwrap_or_default();
            self.literal(fact.strip_prefix('{').unwrap_or("}"));
        }
        self.sparse = sparse;
    }

    /// Writes the members of a fact that many requests have; serde writes all others.
    fn usual_fact(&mut self, fact: &Fact) -> bool {
        let before = self.text.len();
        name!(self, "fact").word(fact.name());
        match fact {
            Fact::Admitted { key, tenant, route, tools } => {
                name!(self, "key").some_text(key.as_deref());
                name!(self, "tenant").some_text(tenant.as_deref());
                name!(self, "route").text(route);
                if *tools {
                    name!(self, "tools").flag(true);
                }
            }
            Fact::Routed { candidates, skipped } if skipped.is_empty() => {
                name!(self, "candidates").array(candidates, |json, name| json.text(name));
            }
            Fact::AttemptStarted { attempt, deployment, why } => {
                name!(self, "attempt").number(u64::from(*attempt));
                name!(self, "deployment").text(deployment);
                name!(self, "why").word(why);
            }
            Fact::FirstContent { attempt, after_ms } => {
                name!(self, "attempt").number(u64::from(*attempt));
                name!(self, "after_ms").number(*after_ms);
            }
            Fact::AttemptSucceeded { attempt, deployment, status, after_ms } => {
                name!(self, "attempt").number(u64::from(*attempt));
                name!(self, "deployment").text(deployment);
                name!(self, "status").number(u64::from(*status));
                name!(self, "after_ms").number(*after_ms);
            }
            Fact::Wasted { why, input, output, cost_usd, estimated } => {
                name!(self, "why").word(why);
                name!(self, "input").number(*input);
                name!(self, "output").number(*output);
                name!(self, "cost_usd").dollars(*cost_usd);
                name!(self, "estimated").flag(*estimated);
            }
            Fact::Answered { status } => name!(self, "status").number(u64::from(*status)),
            _ => {
                self.text.truncate(before);
                return false;
            }
        }
        self.text.push('}');
        true
    }
}

/// The milliseconds of a time, if times of the same milliseconds are written alike.
fn in_order(at: WallTime) -> Option<i64> {
    /// The first of January 10000.
    const YEARS_OF_FIVE_DIGITS: i64 = 253_402_300_800_000;
    Some(at.millis()).filter(|millis| (0..YEARS_OF_FIVE_DIGITS).contains(millis))
}

/// Whether JSON would write a byte of this text otherwise. Eight bytes at a time (Sean Anderson, Bit Twiddling Hacks:
/// "Determine if a word has a byte less than n"): texts are short, so that wider steps would not pay.
fn needs_escapes(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, least: u8| word.wrapping_sub(ONES * u64::from(least)) & !word & HIGH;
    let found = |word: u64| {
        below(word, b' ') | below(word ^ (ONES * u64::from(b'"')), 1) | below(word ^ (ONES * u64::from(b'\\')), 1)
    };
    let (words, rest) = text.as_chunks::<8>();
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    words.iter().fold(found(u64::from_le_bytes(last)), |all, word| all | found(u64::from_le_bytes(*word))) != 0
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use weir_units::{FaultClass, RequestId, Tokens};

    use super::*;
    use crate::{Intent, Outcome, Stage};

    #[test]
    fn what_needs_escapes_is_found_wherever_it_stands() {
        for length in 0..20 {
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'x'; length];
                    text[place] = byte;
                    let needed = byte < b' ' || byte == b'"' || byte == b'\\';
                    assert_eq!(needs_escapes(&text), needed, "{byte} at {place} of {length}");
                }
            }
        }
    }

    #[test]
    fn usual_facts_are_written_as_serde_writes_them() {
        let name = || "open\"ai/gpt".to_owned();
        let deployment = || Arc::from("open\"ai/gpt");
        for fact in [
            Fact::Admitted { key: None, tenant: Some(Arc::from("t")), route: Arc::from("smart"), tools: false },
            Fact::Admitted { key: None, tenant: None, route: Arc::from("smart"), tools: true },
            Fact::Routed { candidates: vec![name(), name()], skipped: Vec::new() },
            Fact::Routed { candidates: vec![name()], skipped: vec![(name(), name())] },
            Fact::AttemptStarted { attempt: 1, deployment: deployment(), why: "first" },
            Fact::FirstContent { attempt: 2, after_ms: 0 },
            Fact::AttemptSucceeded { attempt: 2, deployment: deployment(), status: 200, after_ms: u64::MAX },
            Fact::Answered { status: 200 },
            Fact::Wasted { why: "duplicate", input: 7, output: 0, cost_usd: Some(NanoUsd(1_500)), estimated: true },
            Fact::Wasted { why: "truncated", input: 0, output: 1, cost_usd: None, estimated: false },
            Fact::ClientLeft,
        ] {
            let mut expected = serde_json::to_value(&fact).unwrap();
            expected["at"] = json!("1970-01-01T00:00:00.000Z");
            expected["stage"] = json!("call");
            let written = Event { at: WallTime(0), stage: Stage::Call, fact }.to_json();
            assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), expected, "{written}");
        }
    }

    #[test]
    fn what_is_written_is_what_is_read_whatever_the_texts_hold() {
        let odd = "quote \" backslash \\ bell \u{7} line\nend — ünïcode \u{2028}";
        let intent = Intent {
            id: RequestId(77),
            run: Some(Arc::from(odd)),
            key: None,
            tenant: Some(Arc::from("")),
            tags: vec![(Arc::from("team"), Arc::from("ml")), (Arc::from(odd), Arc::from(odd))],
            route: Arc::from("smart"),
            model: Arc::from("gpt"),
            dialect: "openai",
            endpoint: "/v1/chat/completions",
            stream: true,
            trace: TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            sdk_retry: Some(2),
            started_at: WallTime(1_795_013_223_114_000),
        };
        let mut entry = Entry::of(intent, Outcome::Failed);
        entry.usage = Some(Usage { input: Tokens(u64::MAX), output: Tokens(10), ..Usage::default() });
        entry.content = Some(0xAB);
        entry.degraded = vec![odd.into(), "dropped:seed".into()];
        entry.attempts.push(Attempt {
            deployment: Arc::from("openai/gpt"),
            status: Some(503),
            class: Some(FaultClass::Overloaded),
            message: Some(odd.into()),
            upstream_id: Some(odd.into()),
            started_at: WallTime(0),
            ended_at: WallTime(i64::MAX),
            usage: None,
            cost_usd: Some(NanoUsd(1_250_000)),
            cost_estimated: true,
        });
        entry.sum_costs();
        let fact = Fact::SpliceFailed { from: odd.into(), to: None, why: String::new() };
        entry.events.push(Event { at: WallTime(-1), stage: Stage::Stream, fact });
        let read: serde_json::Value = serde_json::from_str(&entry.to_json()).unwrap();
        assert_eq!(read["run"], odd);
        assert_eq!(read["key"], json!(null));
        assert_eq!(read["tenant"], "");
        assert_eq!(read["tags"], json!({ "team": "ml", odd: odd }));
        assert_eq!(
            read["trace"],
            json!({ "id": "4bf92f3577b34da6a3ce929d0e0e4736", "parent": "00f067aa0ba902b7", "flags": 1 })
        );
        assert_eq!((&read["sdk_retry"], &read["content"]), (&json!(2), &json!("00000000000000ab")));
        assert_eq!(read["attempts"][0]["upstream_id"], odd);
        assert_eq!(read["started_at"], "2026-11-18T14:47:03.114Z");
        assert_eq!(read["usage"]["input"], u64::MAX);
        assert_eq!(read["degraded"], json!([odd, "dropped:seed"]));
        assert_eq!(read["attempts"][0]["class"], "overloaded");
        assert_eq!(read["attempts"][0]["message"], odd);
        for costs in [&read, &read["attempts"][0]] {
            assert_eq!((&costs["cost_usd"], &costs["cost_estimated"]), (&json!("0.00125"), &json!(true)));
        }
        assert_eq!(
            read["events"][0],
            json!({ "at": "1969-12-31T23:59:59.999Z", "stage": "stream", "fact": "SpliceFailed", "from": odd, "to": null, "why": "" })
        );
    }
}
