//! The terminal while `weir top` has it: raw, on its other screen; given back on every way out, a panic included.

use std::io::{Stdout, Write, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::text::Line;
use rustix::process::{Signal, kill_current_process_group};

static GIVES_BACK_ON_PANIC: Once = Once::new();
/// Whether the terminal is ours. It is given back once: leaving its other screen twice would move the cursor over what a panic said.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// A terminal that was taken; dropping it gives it back.
pub(super) struct Screen(Terminal<CrosstermBackend<Stdout>>);

impl Screen {
    /// Takes the terminal.
    pub(super) fn take() -> std::io::Result<Self> {
        GIVES_BACK_ON_PANIC.call_once(|| {
            let told = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                told(panic);
            }));
        });
        enter()?;
        match Terminal::new(CrosstermBackend::new(stdout())) {
            Ok(terminal) => Ok(Self(terminal)),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> std::io::Result<(usize, usize)> {
        let size = self.0.size()?;
        Ok((usize::from(size.width), usize::from(size.height)))
    }

    /// Shows lines; only cells that differ are written.
    pub(super) fn show(&mut self, lines: &[Line<'static>]) -> std::io::Result<()> {
        let draw = |frame: &mut ratatui::Frame| {
            let area = frame.area();
            for (row, line) in (area.top()..area.bottom()).zip(lines) {
                frame.buffer_mut().set_line(area.left(), row, line, area.width);
            }
        };
        self.0.draw(draw).map(|_| ())
    }

    /// Sleeps as any program does on Ctrl-Z, with the terminal given back meanwhile.
    pub(super) fn sleep(&mut self) -> std::io::Result<()> {
        give_back();
        // The whole job, so that whatever started it sleeps as well. It returns when the job goes on.
        kill_current_process_group(Signal::TSTP)?;
        enter()?;
        self.0.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn enter() -> std::io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::Release);
    execute!(stdout(), EnterAlternateScreen, Hide)
}

/// A terminal that went away needs nothing.
fn give_back() {
    if !TAKEN.swap(false, Ordering::AcqRel) {
        return;
    }
    let _ = execute!(stdout(), LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
    let _ = stdout().flush();
}
