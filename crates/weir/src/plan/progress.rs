//! How far long work is, on stderr: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use crate::terminal::{draw, numbers, say, shown};

/// Work this short needs no progress.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often a line says how far it is, where nobody watches a terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
const BAR: usize = 20;

pub(crate) struct Progress {
    what: &'static str,
    began: Instant,
    said: Option<Instant>,
    drawn: bool,
}

impl Progress {
    pub(crate) fn begin(what: &'static str) -> Self {
        let drawn = std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self { what, began: Instant::now(), said: None, drawn }
    }

    /// Says which share is done.
    pub(crate) fn show(&mut self, share: f64) {
        let every = if self.drawn { PATIENCE } else { LINE_EVERY };
        let took = self.began.elapsed();
        if self.said.map_or(took, |said| said.elapsed()) < every || share <= 0.0 {
            return;
        }
        self.said = Some(Instant::now());
        let left = took.mul_f64((1.0 - share).max(0.0) / share).as_secs();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a thousand")]
        let (thousandths, cells) = ((share * 1e3) as u64, ((share * BAR as f64) as usize).min(BAR));
        let percent = shown(&numbers::share(thousandths, 1_000));
        let what = self.what;
        if self.drawn {
            let bar = shown(&format!("{}{}", "█".repeat(cells), "░".repeat(BAR - cells)));
            draw(format_args!("\r {what} [{bar}] {percent}  {left} s left \x1b[K"));
        } else {
            say(format_args!("{what}: {percent}, {left} s left"));
        }
    }

    pub(crate) fn clear(&self) {
        if self.said.is_some() && self.drawn {
            draw("\r\x1b[K");
        }
    }
}
