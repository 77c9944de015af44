//! Requests such as clients send, made by chance from texts in `tests/corpus`, and what of them a provider counts.
//!
//! The texts are this repository's own prose and code, and paragraphs written for this in English and nineteen other
//! languages. Numbers, names, logs and records are made up as they are needed. A seed gives the same requests always.

use serde_json::{Value, json};
use tiktoken_rs::CoreBPE;

/// A kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A conversation in English after a short system prompt.
    Chat,
    /// One question of a few words and nothing else.
    Short,
    /// Questions about code, with files of it.
    Code,
    /// An agent: tools, calls, results as JSON, text or logs.
    Agent,
    /// Pages of documents and a question.
    Documents,
    /// Tables, records and logs to be worked through.
    Rows,
    /// Conversations in twenty languages.
    Languages,
    /// All of these in equal shares.
    Everything,
    /// As a company's gateway may see it: mostly prose, code and agents in English, one request in twenty in one of four other
    /// languages, one in fifty a few words long.
    Mixed,
    /// An agent late in its work: bodies of 50 to 150 kB.
    Long,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 10] = [
        Self::Chat,
        Self::Short,
        Self::Code,
        Self::Agent,
        Self::Documents,
        Self::Rows,
        Self::Languages,
        Self::Everything,
        Self::Mixed,
        Self::Long,
    ];
}

/// What of a request a provider counts: texts, and tokens that stand between them.
#[derive(Default)]
pub(crate) struct Counted {
    texts: Vec<String>,
    between: usize,
}

impl Counted {
    /// How many tokens they are.
    pub(crate) fn tokens(&self, tokenizer: &CoreBPE) -> usize {
        self.between + self.texts.iter().map(|text| tokenizer.count_ordinary(text)).sum::<usize>()
    }

    fn text(&mut self, text: &str) {
        self.texts.push(text.to_owned());
    }
}

/// Chance, by seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn from(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    fn one<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn hex(&mut self, len: usize) -> String {
        (0..len).map(|_| char::from(b"0123456789abcdef"[self.below(16)])).collect()
    }

    fn letters(&mut self, len: usize) -> String {
        let all = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..len).map(|_| char::from(all[self.below(62)])).collect()
    }
}

const CHAT: &str = include_str!("../corpus/chat-en.txt");
const DOCS: &str = include_str!("../corpus/docs-en.txt");
const CODE: &str = include_str!("../corpus/code.txt");
const LANGUAGES: &str = include_str!("../corpus/languages.txt");

const WORDS: [&str; 40] = [
    "order",
    "customer",
    "shipment",
    "status",
    "warehouse",
    "refund",
    "invoice",
    "quantity",
    "region",
    "priority",
    "address",
    "currency",
    "discount",
    "supplier",
    "description",
    "created_at",
    "updatedAt",
    "unit_price",
    "isActive",
    "tracking_number",
    "category",
    "rating",
    "temperature",
    "humidity",
    "latitude",
    "longitude",
    "email",
    "phone",
    "notes",
    "tags",
    "owner_id",
    "balance",
    "limit",
    "retry_count",
    "duration_ms",
    "hostname",
    "severity",
    "branch",
    "commit",
    "channel",
];
const NAMES: [&str; 24] = [
    "Amelia Hart",
    "Jonas Weber",
    "Priya Natarajan",
    "Chen Wei",
    "Fatima Zahra",
    "Liam O'Connor",
    "Sofia Rossi",
    "Mateusz Nowak",
    "Ingrid Solberg",
    "Diego Fernández",
    "Yuki Tanaka",
    "Olu Adeyemi",
    "Berlin",
    "Springfield",
    "New South Wales",
    "Île-de-France",
    "Acme Industrial Supplies Ltd.",
    "Blue Heron Logistics",
    "stainless steel kettle",
    "USB-C docking station",
    "walnut desk, 140 cm",
    "pending review",
    "out for delivery",
    "cancelled by customer",
];

/// Traffic of one seed.
pub(crate) struct Traffic {
    chance: Chance,
    languages: Vec<(&'static str, Vec<&'static str>)>,
    chat: Vec<&'static str>,
}

impl Traffic {
    /// The traffic of this seed.
    pub(crate) fn new(seed: u64) -> Self {
        let languages = LANGUAGES
            .split("# ")
            .filter_map(|part| part.split_once('\n'))
            .map(|(name, text)| (name, text.lines().collect()))
            .collect();
        Self { chance: Chance(seed), languages, chat: CHAT.lines().collect() }
    }

    /// The next request of this kind: its body, and what is counted of it.
    pub(crate) fn request(&mut self, kind: Kind) -> (String, Counted) {
        match kind {
            Kind::Chat => self.chat(),
            Kind::Short => {
                let question = self.question();
                self.say(None, vec![("user", question)], &[])
            }
            Kind::Code => self.code(),
            Kind::Agent => self.agent(0, 12),
            Kind::Long => self.agent(40, 80),
            Kind::Documents => self.documents(),
            Kind::Rows => self.rows(),
            Kind::Languages => self.in_languages(usize::MAX),
            Kind::Everything => {
                let one = *self.chance.one(&Kind::ALL[..7]);
                self.request(one)
            }
            Kind::Mixed => match self.chance.below(100) {
                0..30 => self.chat(),
                30..50 => self.code(),
                50..72 => self.agent(0, 12),
                72..85 => self.documents(),
                85..93 => self.rows(),
                93..98 => self.in_languages(4),
                _ => self.request(Kind::Short),
            },
        }
    }

    fn chat(&mut self) -> (String, Counted) {
        let system = (*self.chance.one(&self.chat[21..24])).to_owned();
        let turns = self.chance.from(0, 5) * 2 + 1;
        let turns = (0..turns).map(|at| (role(at), self.paragraphs(1, 3))).collect();
        self.say(Some(system), turns, &[])
    }

    fn code(&mut self) -> (String, Counted) {
        let system = self.chance.percent(70).then(|| part(DOCS, &mut self.chance, 300, 1_200));
        let turns = self.chance.from(0, 2) * 2 + 1;
        let turns = (0..turns)
            .map(|at| {
                let code = part(CODE, &mut self.chance, 400, 4_000);
                (role(at), format!("{}\n\n```\n{code}\n```", self.question()))
            })
            .collect();
        self.say(system, turns, &[])
    }

    fn documents(&mut self) -> (String, Counted) {
        let mut text = String::new();
        for number in 1..=self.chance.from(2, 8) {
            let source = if self.chance.percent(80) { DOCS } else { CHAT };
            let page = part(source, &mut self.chance, 500, 2_500);
            text.push_str(&format!("<document index=\"{number}\">\n{page}\n</document>\n"));
        }
        let question = self.question();
        let system = "Answer only from the documents. Cite the index of each that you use, and say so if none helps.";
        self.say(Some(system.to_owned()), vec![("user", format!("{text}\n{question}"))], &[])
    }

    fn rows(&mut self) -> (String, Counted) {
        let system = "Extract the totals by region and return them as JSON. Do not explain.".to_owned();
        let lines = self.chance.from(10, 80);
        let table = match self.chance.below(3) {
            0 => self.table(lines),
            1 => format!("{:#}", self.records(lines / 4 + 1)),
            _ => self.log(lines),
        };
        self.say(Some(system), vec![("user", table)], &[])
    }

    fn in_languages(&mut self, first: usize) -> (String, Counted) {
        let language = self.chance.below(self.languages.len().min(first));
        let turns = self.chance.from(0, 3) * 2 + 1;
        let mut said = Vec::new();
        for at in 0..turns {
            let lines = &self.languages[language].1;
            let text: Vec<_> = (0..self.chance.from(1, 3)).map(|_| *self.chance.one(lines)).collect();
            said.push((role(at), text.join("\n")));
        }
        let system = self.chance.percent(50).then(|| (*self.chance.one(&self.chat[21..24])).to_owned());
        self.say(system, said, &[])
    }

    fn agent(&mut self, least: usize, most: usize) -> (String, Counted) {
        let system = Some(part(DOCS, &mut self.chance, 1_500, 4_000));
        let tools: Vec<Value> = (0..self.chance.from(2, 8)).map(|_| self.tool()).collect();
        let mut turns = vec![("user", self.question())];
        for _ in 0..self.chance.from(least, most) {
            let arguments = self.record(3).to_string();
            turns.push(("call", arguments));
            let (records, lines) = (self.chance.from(1, 12), self.chance.from(5, 40));
            turns.push((
                "tool",
                match self.chance.below(5) {
                    0 => part(CODE, &mut self.chance, 300, 5_000),
                    1 => self.log(lines),
                    2 => part(DOCS, &mut self.chance, 300, 3_000),
                    3 => format!("{:#}", self.records(records)),
                    _ => self.records(records).to_string(),
                },
            ));
        }
        self.say(system, turns, &tools)
    }

    /// A body in either dialect.
    fn say(&mut self, system: Option<String>, turns: Vec<(&str, String)>, tools: &[Value]) -> (String, Counted) {
        let mut counted = Counted { between: 3, ..Counted::default() };
        for tool in tools {
            counted.between += 4;
            counted.text(&as_type(tool));
        }
        let messages = self.chance.percent(30);
        let mut list = Vec::new();
        if let Some(system) = &system {
            counted.between += 4;
            counted.text(system);
            if !messages {
                list.push(json!({ "role": "system", "content": system }));
            }
        }
        for (role, text) in &turns {
            counted.between += 4;
            counted.text(text);
            let id = format!("call_{}", self.chance.letters(24));
            list.push(match (*role, messages) {
                ("call", false) => json!({ "role": "assistant", "content": null, "tool_calls": [
                    { "id": id, "type": "function", "function": { "name": "search_orders", "arguments": text } }] }),
                ("tool", false) => json!({ "role": "tool", "tool_call_id": id, "content": text }),
                ("call", true) => json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": id,
                    "name": "search_orders", "input": serde_json::from_str(text).unwrap_or(Value::Null) }] }),
                ("tool", true) => {
                    json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": id, "content": text }] })
                }
                (role, true) if role == "user" => json!({ "role": role, "content": [{ "type": "text", "text": text }] }),
                (role, _) => json!({ "role": role, "content": text }),
            });
            if *role == "call" {
                counted.text("search_orders");
                counted.between += 3;
            }
        }
        let mut body = json!({ "model": "m", "stream": true, "messages": list, "max_tokens": 1024 });
        if messages && system.is_some() {
            body["system"] = json!(system);
        }
        if !tools.is_empty() {
            let wrap = |tool: &Value| json!({ "type": "function", "function": tool });
            body["tools"] = if messages { tools.into() } else { tools.iter().map(wrap).collect() };
        }
        let text = body.to_string();
        // As Python's json writes it by default.
        let ascii = self.chance.percent(20);
        (if ascii { escaped(&text) } else { text }, counted)
    }

    fn question(&mut self) -> String {
        let lines = &self.chat[..21];
        let text = *self.chance.one(lines);
        let end = self.chance.from(30, 220).min(text.len());
        let end =
            (end..=text.len()).find(|at| text.is_char_boundary(*at) && !text[*at..].starts_with(char::is_alphabetic));
        text[..end.unwrap_or(text.len())].to_owned()
    }

    fn paragraphs(&mut self, low: usize, high: usize) -> String {
        let count = self.chance.from(low, high);
        let texts: Vec<_> = (0..count)
            .map(|_| {
                if self.chance.percent(70) {
                    (*self.chance.one(&self.chat)).to_owned()
                } else {
                    part(DOCS, &mut self.chance, 200, 900)
                }
            })
            .collect();
        texts.join("\n\n")
    }

    fn record(&mut self, members: usize) -> Value {
        let members = (0..members).map(|_| ((*self.chance.one(&WORDS)).to_owned(), self.value())).collect();
        Value::Object(members)
    }

    fn records(&mut self, count: usize) -> Value {
        let width = self.chance.from(3, 10);
        (0..count).map(|_| self.record(width)).collect()
    }

    fn value(&mut self) -> Value {
        match self.chance.below(9) {
            0 => json!(self.chance.below(100_000)),
            1 => json!(self.chance.below(10_000_000) as f64 / 100.0),
            2 => json!(self.chance.percent(50)),
            3 => json!(format!(
                "2026-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                self.chance.from(1, 12),
                self.chance.from(1, 28),
                self.chance.below(24),
                self.chance.below(60),
                self.chance.below(60)
            )),
            4 => json!(format!(
                "{}-{}-4{}-a{}-{}",
                self.chance.hex(8),
                self.chance.hex(4),
                self.chance.hex(3),
                self.chance.hex(3),
                self.chance.hex(12)
            )),
            5 => json!(format!("{}_{}", self.chance.one(&["cus", "ord", "sku", "evt"]), self.chance.letters(14))),
            6 => json!(format!("https://api.example.com/v2/{}/{}", self.chance.one(&WORDS), self.chance.below(90_000))),
            7 => json!(format!("{} {}", self.chance.one(&NAMES), self.chance.one(&WORDS))),
            _ => json!(self.chance.one(&NAMES)),
        }
    }

    fn table(&mut self, lines: usize) -> String {
        let columns = self.chance.from(3, 9);
        let mut text: Vec<String> = vec![(0..columns).map(|_| *self.chance.one(&WORDS)).collect::<Vec<_>>().join(",")];
        for _ in 0..lines {
            let row: Vec<String> = (0..columns)
                .map(|column| match column % 4 {
                    0 => self.chance.below(1_000_000).to_string(),
                    1 => format!("{:.2}", self.chance.below(100_000) as f64 / 37.0),
                    2 => (*self.chance.one(&NAMES)).to_owned(),
                    _ => format!("2026-{:02}-{:02}", self.chance.from(1, 12), self.chance.from(1, 28)),
                })
                .collect();
            text.push(row.join(","));
        }
        text.join("\n")
    }

    fn log(&mut self, lines: usize) -> String {
        let line = |chance: &mut Chance| {
            let level = *chance.one(&["INFO", "INFO", "WARN", "ERROR", "DEBUG"]);
            let what = *chance.one(&[
                "connection refused",
                "request completed",
                "cache miss",
                "retrying upload",
                "user signed in",
                "slow query",
            ]);
            format!(
                "2026-11-{:02} {:02}:{:02}:{:02},{:03} {level} [worker-{}] com.example.{}.{}: {what} from 10.{}.{}.{} in {}ms (trace {})",
                chance.from(1, 28),
                chance.below(24),
                chance.below(60),
                chance.below(60),
                chance.below(1_000),
                chance.below(16),
                chance.one(&WORDS),
                "Handler",
                chance.below(256),
                chance.below(256),
                chance.below(256),
                chance.below(5_000),
                chance.hex(16),
            )
        };
        (0..lines).map(|_| line(&mut self.chance)).collect::<Vec<_>>().join("\n")
    }

    fn tool(&mut self) -> Value {
        let mut properties = serde_json::Map::new();
        for _ in 0..self.chance.from(1, 6) {
            let about = part(DOCS, &mut self.chance, 20, 140).replace('\n', " ");
            let kind = *self.chance.one(&["string", "integer", "boolean", "number"]);
            properties.insert((*self.chance.one(&WORDS)).to_owned(), json!({ "type": kind, "description": about }));
        }
        let name = format!("{}_{}", self.chance.one(&["get", "search", "update", "list"]), self.chance.one(&WORDS));
        let about = part(DOCS, &mut self.chance, 80, 500);
        json!({ "name": name, "description": about, "parameters": { "type": "object", "properties": properties, "required": [] } })
    }
}

fn role(at: usize) -> &'static str {
    if at.is_multiple_of(2) { "user" } else { "assistant" }
}

/// A part of a text, cut at lines' or words' ends.
fn part(text: &str, chance: &mut Chance, low: usize, high: usize) -> String {
    let len = chance.from(low, high).min(text.len());
    let start = chance.below(text.len() - len + 1);
    let at_word =
        |at: usize| (at..text.len()).find(|at| text.as_bytes()[*at].is_ascii_whitespace()).unwrap_or(text.len());
    let (start, end) = (at_word(start), at_word(start + len));
    text[start..end].trim().to_owned()
}

/// A tool as a provider puts it before the model: a declaration of a type, with the descriptions as comments.
fn as_type(tool: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines =
        vec![format!("// {}", text(&tool["description"])), format!("type {} = (_: {{", text(&tool["name"]))];
    for (name, of) in tool["parameters"]["properties"].as_object().into_iter().flatten() {
        lines.push(format!("// {}\n{name}: {},", text(&of["description"]), text(&of["type"])));
    }
    lines.push("}) => any;".to_owned());
    lines.join("\n")
}

fn escaped(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}")));
        }
    }
    ascii
}
