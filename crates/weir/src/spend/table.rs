//! Sums of what was spent: a sentence and a table for a person, a record a line with exact dollars for a program.

use serde::Deserialize;
use serde_json::{Map, Value};
use weir_units::NanoUsd;

use crate::terminal::{aligned, bold, moves, numbers, print, shown};
use crate::top::plain::word;
use crate::top::words;

/// The answer of `/admin/v1/spend`.
#[derive(Deserialize)]
pub(super) struct Spend {
    since: String,
    by: Vec<String>,
    rows: Vec<Row>,
    rest: Option<Rest>,
    total: Sums,
}

#[derive(Deserialize)]
struct Row {
    #[serde(flatten)]
    sums: Sums,
    /// What the row is of, by what was told apart.
    #[serde(flatten)]
    names: Map<String, Value>,
}

#[derive(Deserialize)]
struct Rest {
    rows: u64,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Deserialize)]
struct Sums {
    cost_usd: String,
    estimated_usd: String,
    cost_unknown: u64,
    requests: u64,
    attempts: u64,
    usage: Usage,
    usage_unknown: u64,
}

#[derive(Deserialize)]
struct Usage {
    input: u64,
    cached_input: u64,
    output: u64,
    reasoning: u64,
}

impl Spend {
    pub(super) fn read(answer: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(answer)
    }
}

/// Prints the sums.
pub(super) fn show(spend: &Spend) {
    if moves() {
        print(bold(&shown(&headline(spend))));
        print(shown(&table(spend).join("\n")));
    } else {
        print(lines(spend).join("\n"));
    }
}

/// The sum first, and what is not known beside it.
fn headline(spend: &Spend) -> String {
    let total = &spend.total;
    let since = format!("since {} UTC", spend.since.get(..16).unwrap_or(&spend.since).replace('T', " "));
    if total.requests == 0 {
        return format!("Nothing was asked for {since}.");
    }
    let unknown = match total.cost_unknown {
        0 => String::new(),
        count if total.cost() == NanoUsd::ZERO => {
            return format!("What {} cost {since} is unknown.", of_all(count, total.requests));
        }
        count => format!(", and {} of unknown cost", numbers::counted(count, "request")),
    };
    let estimated = total.estimated_share().map(|share| format!("; {share} of it estimated")).unwrap_or_default();
    let requests = numbers::counted(total.requests, "request");
    format!("{}{unknown}, for {requests} {since}{estimated}.", numbers::dollars(total.cost()))
}

fn of_all(count: u64, all: u64) -> String {
    if count == all {
        numbers::counted(all, "request")
    } else {
        format!("{} of {}", numbers::count(count), numbers::counted(all, "request"))
    }
}

impl Sums {
    fn cost(&self) -> NanoUsd {
        self.cost_usd.parse().unwrap_or_default()
    }

    /// The estimated share of the cost, where there is any.
    fn estimated_share(&self) -> Option<String> {
        let estimated: NanoUsd = self.estimated_usd.parse().unwrap_or_default();
        let part = |amount: NanoUsd| u64::try_from(amount.0).unwrap_or_default();
        (part(estimated) > 0).then(|| numbers::share(part(estimated), part(self.cost())))
    }

    /// What is known, and how many requests have a cost that is not.
    fn amount(&self) -> String {
        match self.cost_unknown {
            0 => numbers::dollars(self.cost()),
            unknown if self.cost() == NanoUsd::ZERO => format!("{} unknown", numbers::count(unknown)),
            unknown => format!("{} + {} unknown", numbers::dollars(self.cost()), numbers::count(unknown)),
        }
    }

    /// The figures of a row: cost, estimated, requests, attempts, and tokens.
    fn figures(&self) -> [String; 8] {
        let tokens = |count: u64| match self.usage_unknown {
            0 => numbers::count(count),
            _ if count == 0 => "—".to_owned(),
            _ => format!("{}+", numbers::count(count)),
        };
        [
            self.amount(),
            self.estimated_share().unwrap_or_else(|| "—".to_owned()),
            numbers::count(self.requests),
            numbers::count(self.attempts),
            tokens(self.usage.input),
            tokens(self.usage.cached_input),
            tokens(self.usage.output),
            tokens(self.usage.reasoning),
        ]
    }
}

fn table(spend: &Spend) -> Vec<String> {
    let figures = ["cost", "estimated", "requests", "attempts", "input", "cached", "output", "reasoning"];
    let line = |names: Vec<String>, figures: [String; 8]| names.into_iter().chain(figures).collect::<Vec<_>>();
    let mut rows = vec![line(spend.by.clone(), figures.map(str::to_owned))];
    for row in &spend.rows {
        let name = |by: &String| {
            let name = row.names.get(by).and_then(Value::as_str);
            name.map_or_else(|| "—".to_owned(), |name| words::cut(&weir_wire::shown(name), 40))
        };
        rows.push(line(spend.by.iter().map(name).collect(), row.sums.figures()));
    }
    let titled = |title: String| {
        let mut names = vec![String::new(); spend.by.len()];
        if let Some(first) = names.first_mut() {
            *first = title;
        }
        names
    };
    if let Some(rest) = &spend.rest {
        rows.push(line(titled(format!("{} more", numbers::count(rest.rows))), rest.sums.figures()));
    }
    rows.push(line(titled("all".to_owned()), spend.total.figures()));
    let mut lines = aligned(&rows, spend.by.len());
    if spend.total.usage_unknown > 0 {
        let calls = numbers::counted(spend.total.usage_unknown, "call");
        lines.push(format!("+ {calls} did not report their tokens"));
    }
    lines
}

fn lines(spend: &Spend) -> Vec<String> {
    let figures = |sums: &Sums| {
        format!(
            "cost-usd={} cost-unknown={} estimated-usd={} requests={} attempts={} input={} cached-input={} output={} reasoning={} usage-unknown={}",
            word(&sums.cost_usd),
            sums.cost_unknown,
            word(&sums.estimated_usd),
            sums.requests,
            sums.attempts,
            sums.usage.input,
            sums.usage.cached_input,
            sums.usage.output,
            sums.usage.reasoning,
            sums.usage_unknown,
        )
    };
    let row = |row: &Row| {
        let name = |by: &String| {
            let name = row.names.get(by).and_then(Value::as_str).map(|name| word(&weir_wire::shown(name)));
            format!("{}={} ", word(by), name.unwrap_or_else(|| "-".to_owned()))
        };
        format!("spend {}{}", spend.by.iter().map(name).collect::<String>(), figures(&row.sums))
    };
    let mut lines: Vec<String> = spend.rows.iter().map(row).collect();
    lines.extend(spend.rest.iter().map(|rest| format!("rest rows={} {}", rest.rows, figures(&rest.sums))));
    lines.push(format!("total {}", figures(&spend.total)));
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sums(cost: &str, unknown: u64, estimated: &str, requests: u64) -> Value {
        json!({
            "cost_usd": cost, "estimated_usd": estimated, "cost_unknown": unknown, "requests": requests, "attempts": requests + 1,
            "usage": { "input": 12_345, "cached_input": 0, "output": 678, "reasoning": 9 }, "usage_unknown": unknown,
        })
    }

    fn spend(total: Value) -> Spend {
        let row = |key: Value, model: &str, mut sums: Value| {
            (sums["key"], sums["model"]) = (key, model.into());
            sums
        };
        let mut rest = sums("0.4", 0, "0", 5);
        rest["rows"] = json!(3);
        let answer = json!({
            "since": "2026-11-11T14:47:03.114Z", "until": "2026-11-18T14:47:03.114Z", "by": ["key", "model"], "tenant": null,
            "rows": [
                row("bot".into(), "gpt-5.2", sums("12.000000001", 0, "0.6", 1_200)),
                row(Value::Null, "x\u{1b}[2J y", sums("0", 3, "0", 3)),
            ],
            "rest": rest, "total": total,
        });
        Spend::read(&answer.to_string()).unwrap()
    }

    fn plain(text: &str) -> String {
        text.replace('\u{202f}', " ")
    }

    #[test]
    fn the_sum_comes_first_and_what_is_unknown_stands_beside_it() {
        for (total, expected) in [
            (sums("12.4", 0, "0", 1_208), "$12.40, for 1,208 requests since 2026-11-11 14:47 UTC."),
            (
                sums("12.4", 3, "0.62", 1_208),
                "$12.40, and 3 requests of unknown cost, for 1,208 requests since 2026-11-11 14:47 UTC; 5.0 % of it estimated.",
            ),
            (sums("0", 3, "0", 3), "What 3 requests cost since 2026-11-11 14:47 UTC is unknown."),
            (sums("0", 2, "0", 3), "What 2 of 3 requests cost since 2026-11-11 14:47 UTC is unknown."),
            (sums("0", 0, "0", 0), "Nothing was asked for since 2026-11-11 14:47 UTC."),
        ] {
            assert_eq!(plain(&headline(&spend(total))), expected);
        }
    }

    #[test]
    fn a_table_has_names_left_figures_right_and_the_sum_of_all_at_its_end() {
        let lines: Vec<String> = table(&spend(sums("12.4", 3, "0.6", 1_208))).iter().map(|line| plain(line)).collect();
        let expected = [
            "key     model                  cost  estimated  requests  attempts    input  cached  output  reasoning",
            "bot     gpt-5.2                 $12      5.0 %     1,200     1,201   12,345       0     678          9",
            "—       x?[2J y           3 unknown          —         3         4  12,345+       —    678+         9+",
            "3 more                        $0.40          —         5         6   12,345       0     678          9",
            "all              $12.40 + 3 unknown      4.8 %     1,208     1,209  12,345+       —    678+         9+",
            "+ 3 calls did not report their tokens",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_program_gets_exact_dollars() {
        let lines = lines(&spend(sums("12.4", 3, "0.6", 1_208)));
        assert_eq!(
            lines[0],
            "spend key=bot model=gpt-5.2 cost-usd=12.000000001 cost-unknown=0 estimated-usd=0.6 requests=1200 attempts=1201 \
             input=12345 cached-input=0 output=678 reasoning=9 usage-unknown=0"
        );
        assert!(lines[1].starts_with("spend key=- model=x?[2J_y cost-usd=0 cost-unknown=3 "), "{}", lines[1]);
        assert!(lines[2].starts_with("rest rows=3 cost-usd=0.4 ") && lines[3].starts_with("total cost-usd=12.4 "));
    }
}
