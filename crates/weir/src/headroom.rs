//! `weir headroom`: every limit that the gateway keeps to, the fullest first, as a table; and what will be asked of each.

mod ahead;
mod offline;

use std::process::ExitCode;

use clap::Args;
use weir_capacity::desk::{Desk, Failover};
use weir_engine::Zone;

use crate::serve::runtime;
use crate::server::{Server, no_answer};
use crate::terminal::{NO, UNKNOWN, UNREACHABLE, bold, fail, moves, numbers, print, say, shown};
use crate::top::snapshot::{Headroom, Limit, Pool};
use crate::top::{not_understood, plain, words};
use crate::{Common, reading};

#[derive(Args)]
#[command(
    after_help = "What is used now is the gateway's word. What the busiest hours ask for, what they will ask for, when a limit is reached, what can\n\
be done and what happens without a provider come from the ledger: of the gateway, or where none answers, of the configuration. With\n\
--at or --ledger no gateway is asked, and \"now\" is the last minute that is in the ledger. The admin key is taken from WEIR_ADMIN_KEY.\n\
Without a terminal, a record a line is printed.\n\n\
Exit codes: 0 done · 1 no pool has that name · 2 wrong usage, or the admin key is refused · 3 no limit is known, or no demand ·\n\
4 neither gateway nor ledger can be reached"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: Server,
    /// Only the pool of this name: a provider, a pool, provider/model, or a key
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// Look at the ledger as of this time: 2026-11-18T14:47:00Z, "2026-11-18 14:47" or a day
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Read this ledger, its file or url, and ask no gateway
    #[arg(long, value_name = "FILE")]
    ledger: Option<String>,
}

/// Prints the table.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")),
    };
    let pool = arguments.pool.as_deref();
    if arguments.at.is_some() || arguments.ledger.is_some() {
        let asked = offline::Asked { at: arguments.at.as_deref(), ledger: arguments.ledger.as_deref(), pool };
        return runtime.block_on(offline::run(common, &asked));
    }
    let operator = match arguments.server.operator() {
        Ok(operator) => operator,
        Err(fault) => return no_answer(&fault),
    };
    let asked = runtime.block_on(operator.ask("/admin/v1/headroom")).and_then(|answer| {
        let read = Headroom::read(&answer).map_err(|e| not_understood(&operator, &e))?;
        Ok((answer, read))
    });
    let (answer, mut read) = match asked {
        Ok(answer) => answer,
        Err(fault) => {
            return match arguments.server.ledger_instead(common, &fault, "figures") {
                Ok(_) => runtime.block_on(offline::run(common, &offline::Asked { at: None, ledger: None, pool })),
                Err(code) => code,
            };
        }
    };
    if let Some(name) = pool {
        let known: Vec<String> = read.pools.iter().map(|pool| pool.pool.clone()).collect();
        read.pools.retain(|pool| pool.pool == *name);
        if read.pools.is_empty() {
            return no_such_pool(name, &known);
        }
    }
    // What runs now is told also where what will be asked for cannot be.
    let desk = runtime.block_on(operator.ask("/admin/v1/capacity")).ok();
    let desk = desk.and_then(|answer| serde_json::from_slice::<Desk>(&answer).ok());
    let desk = desk.map(|desk| of_pool(desk, pool));
    if common.json {
        print(as_json(&answer, pool, desk.as_ref()));
        return ExitCode::SUCCESS;
    }
    if read.pools.is_empty() {
        say("no limit is known yet: nothing is declared, and no provider has stated one in its headers");
        say("  hint  declare what your account has: limits = { requests-per-minute = 500 } (docs/guide/limits.md)");
        return ExitCode::from(UNKNOWN);
    }
    let desk = desk.filter(|desk| !desk.ceilings.is_empty());
    if moves() {
        print(bold(&shown(&headline(&read.pools))));
        print(shown(&table(&read.pools, &read.at).join("\n")));
        if let Some(desk) = &desk {
            let zone = reading::config(common).map_or(Zone::UTC, |config| config.zone);
            print(shown(&format!("\n{}", ahead::page(desk, &zone).join("\n"))));
        }
    } else {
        print(plain::pools(&read.pools, &read.at).join("\n"));
        if let Some(desk) = &desk {
            print(ahead::records(desk).join("\n"));
        }
    }
    ExitCode::SUCCESS
}

fn no_such_pool(name: &str, known: &[String]) -> ExitCode {
    let code = fail(NO, format_args!("no pool with limits is called `{}`", weir_wire::shown(name)));
    let known = if known.is_empty() { "none".to_owned() } else { weir_wire::shown(&known.join(", ")) };
    say(format_args!("  hint  known are: {known}"));
    code
}

/// What is said of one pool; of all, where none is named.
fn of_pool(mut desk: Desk, pool: Option<&str>) -> Desk {
    if let Some(name) = pool {
        desk.ceilings.retain(|view| view.pool == name);
        let concerns =
            |one: &Failover| one.without == name || one.survivors.iter().any(|survivor| survivor.pool == name);
        desk.failover.retain(concerns);
        desk.budgets.clear();
    }
    desk
}

/// The answer as it came, with what will be asked for beside it; with a name, of that pool alone.
fn as_json(answer: &[u8], pool: Option<&str>, desk: Option<&Desk>) -> String {
    let text = String::from_utf8_lossy(answer).trim_end().to_owned();
    let Ok(mut value) = serde_json::from_str::<serde_json::Value>(&text) else { return text };
    if let (Some(name), Some(pools)) = (pool, value["pools"].as_array_mut()) {
        pools.retain(|pool| pool["pool"] == name);
    }
    value["capacity"] = desk.and_then(|desk| serde_json::to_value(desk).ok()).unwrap_or_default();
    value.to_string()
}

/// Which limit binds, by how much, and who waits.
fn headline(pools: &[Pool]) -> String {
    let fullest = pools
        .iter()
        .filter(|pool| pool.kind != "key")
        .flat_map(|pool| pool.limits.iter().map(move |limit| (pool, limit)))
        .max_by(|(_, a), (_, b)| a.peak_share().total_cmp(&b.peak_share()));
    let waiting: u64 = pools.iter().map(Pool::waiting).sum();
    let oldest = pools.iter().map(|pool| pool.queue.oldest_wait_s).fold(0.0, f64::max);
    let queue = match waiting {
        0 => "nobody waits".to_owned(),
        1 => format!("1 waits, {}", words::span(oldest)),
        _ => format!("{} wait, oldest {}", numbers::count(waiting), words::span(oldest)),
    };
    match fullest {
        Some((pool, limit)) => {
            let name = format!("{} {}", words::cut(&pool.pool, 40), limit.words());
            let peak = words::percent(limit.peak_share());
            format!("{name} peak at {peak} ({} headroom); {queue}.", headroom(limit))
        }
        None => format!("No provider has a limit that is known; {queue}."),
    }
}

/// What the peak left of it.
fn headroom(limit: &Limit) -> String {
    let left = 1.0 - limit.peak_share();
    if left < 0.0 { "0\u{202f}%".to_owned() } else { words::percent(left) }
}

/// Head and rows, the fullest limits first.
fn table(pools: &[Pool], at: &str) -> Vec<String> {
    let mut rows: Vec<(&Pool, &Limit)> =
        pools.iter().flat_map(|pool| pool.limits.iter().map(move |limit| (pool, limit))).collect();
    rows.sort_by(|(_, a), (_, b)| b.peak_share().total_cmp(&a.peak_share()));
    let names: Vec<String> = rows
        .iter()
        .map(|(pool, limit)| {
            let kind = if pool.kind == "key" { "key " } else { "" };
            format!("{kind}{} {}", words::cut(&pool.pool, 36), limit.words())
        })
        .collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
    let line = |name: &str, cells: [&str; 6], by: &str| {
        let [limit, used, peak, left, waiting, reset] = cells;
        format!("{name:<width$} {limit:>12} {used:>12} {peak:>7} {left:>9} {waiting:>12} {reset:>12}  {by}")
            .trim_end()
            .to_owned()
    };
    let mut lines = vec![line("limit", ["in force", "used", "peak", "headroom", "waiting", "reset"], "said by")];
    for ((pool, limit), name) in rows.iter().zip(&names) {
        let waiting = match pool.waiting() {
            0 if pool.kind == "key" => String::new(),
            0 => "0".to_owned(),
            count => format!("{}, {}", numbers::count(count), words::span(pool.queue.oldest_wait_s)),
        };
        let reset = limit.reset_s.map_or_else(|| "—".to_owned(), words::span);
        let cells = [
            &numbers::count(limit.limit),
            &numbers::count(limit.used),
            &words::percent(limit.peak_share()),
            &headroom(limit),
            &waiting,
            &reset,
        ];
        lines.push(line(name, cells.map(String::as_str), limit.said_by()));
    }
    for pool in pools {
        if pool.limits.is_empty() {
            let assumed = pool.assumed.as_deref().unwrap_or("no limit is known");
            lines.push(format!("{}: {} wait; {assumed}", pool.pool, pool.waiting()));
        }
        if pool.factor < 0.995 {
            lines.push(format!(
                "{} refused below its limits: {} of them are used for now",
                pool.pool,
                words::percent(pool.factor)
            ));
        }
        if let Some(left) = pool.gated_for_s(at) {
            lines.push(format!("{} refused: nobody asks for {}", pool.pool, words::span(left)));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::snapshot::Snapshot;

    fn pools() -> Vec<Pool> {
        Snapshot::read(include_bytes!("top/story.json")).unwrap().pools
    }

    #[test]
    fn the_fullest_limit_comes_first_and_is_the_headline() {
        let pools = pools();
        let plain = |text: &str| text.replace('\u{202f}', " ");
        assert_eq!(
            plain(&headline(&pools)),
            "gpt-5 input tokens/min peak at 94 % (6 % headroom); 12 wait, oldest 2.1 s."
        );
        let lines: Vec<String> = table(&pools, "2026-11-18T14:47:03.114Z").iter().map(|line| plain(line)).collect();
        assert!(lines[1].starts_with("gpt-5 input tokens/min"), "{lines:#?}");
        assert!(lines[1].ends_with("94 %       6 %    12, 2.1 s         41 s  headers, below config"), "{lines:#?}");
        assert!(
            lines.iter().any(|line| line == "gpt-5 refused below its limits: 70 % of them are used for now"),
            "{lines:#?}"
        );
    }
}
