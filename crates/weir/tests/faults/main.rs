//! What a provider's faults cost a client: the fault matrix, streams cut anywhere, clients that leave, outages.
//!
//! Everything is real but the providers: the gateway as it is shipped, TCP on loopback, the mock's HTTP. The matrix is one
//! test per cell, generated from [`table`]; run a part of it by name: `cargo test -p weir --test faults -- stall:3/stream`.

mod cell;
mod client;
mod cuts;
mod dialect;
mod gone;
mod outages;
mod page;
mod table;
mod world;

use std::process::ExitCode;
use std::sync::LazyLock;

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;

use crate::dialect::DIALECTS;

/// Most of a cell's time is spent waiting for a limit to pass, so many run at once on few cores.
const AT_ONCE: usize = 48;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // What keeps the processors busy comes after what watches the clock.
    let busy = cut();
    let watchful = matrix().into_iter().chain(left()).chain(outages()).collect();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let failed = [watchful, busy].map(|trials| libtest_mimic::run(&arguments, trials).has_failed());
    if failed.contains(&true) { ExitCode::from(101) } else { ExitCode::SUCCESS }
}

fn matrix() -> Vec<Trial> {
    let cells = cell::cells().into_iter().map(|cell| test(cell.to_string(), move || async move { cell.play().await }));
    let page = test("the page is what the table says".to_owned(), || async { page::check() });
    cells.chain([page]).collect()
}

fn cut() -> Vec<Trial> {
    let tests = DIALECTS.into_iter().flat_map(|dialect| {
        let name = dialect.name();
        [
            test(format!("cut anywhere/{name}/alone"), move || cuts::alone(dialect)),
            test(format!("cut anywhere/{name}/second"), move || cuts::second(dialect)),
        ]
    });
    tests.collect()
}

fn left() -> Vec<Trial> {
    let mut tests = Vec::new();
    for when in gone::ALL {
        for client in DIALECTS {
            for provider in DIALECTS {
                let name = format!("the client leaves/{when:?}/{}→{}", client.name(), provider.name());
                tests.push(test(name, move || gone::leave(when, client, provider)));
            }
        }
    }
    tests
}

fn outages() -> Vec<Trial> {
    vec![
        test("an outage opens the breaker".to_owned(), outages::opens),
        test("an outage of all is told, with the time to come back".to_owned(), outages::all_open),
        test("a breaker recovers by probes".to_owned(), outages::recovers),
        test("a refused credential is benched".to_owned(), outages::credential_benched),
        test("a reload forgets no breaker".to_owned(), outages::reload_remembers),
        test("a provider that nobody can connect to".to_owned(), outages::nobody_listens),
        test("a warm connection that is gone costs nothing".to_owned(), outages::warm_connection_gone),
    ]
}

/// One named test.
fn test<F>(name: String, play: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = Result<(), String>>,
{
    Trial::test(name, move || RUNTIME.block_on(play()).map_err(Into::into))
}
