//! What a provider's faults cost a client: the fault matrix, cuts at every byte, clients that leave, outages.
//!
//! Everything is real but the providers: the gateway as it is shipped, TCP on loopback, the mock's HTTP. The matrix is one
//! test per cell, generated from [`table`]; run a part of it by name: `cargo test -p weir --test faults -- stall:3/stream`.

mod cell;
mod client;
mod dialect;
mod page;
mod table;
mod world;

use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;

/// Most of a cell's time is spent waiting for a limit to pass, so many run at once on few cores.
const AT_ONCE: usize = 32;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let mut trials = vec![test("the page is what the table says".to_owned(), || async { page::check() })];
    for cell in cell::cells() {
        let cell = Arc::new(cell);
        trials.push(test(cell.to_string(), move || async move { cell.play().await }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// One named test.
fn test<F>(name: String, play: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = Result<(), String>>,
{
    Trial::test(name, move || RUNTIME.block_on(play()).map_err(Into::into))
}
