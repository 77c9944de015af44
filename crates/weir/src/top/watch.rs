//! The loop of the live view: a task asks the gateway once a second, this thread draws and listens to keys.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, poll, read};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use weir_gateway::Operator;

use super::frame::{Pane, Sort, View, lines};
use super::line::Look;
use super::screen::Screen;
use super::snapshot::Snapshot;
use super::words::clock;
use crate::terminal::{UNREACHABLE, fail, is_rich, is_utf8};

/// How often the gateway is asked.
const TICK: Duration = Duration::from_secs(1);
/// How soon a new snapshot is seen while no key is pressed.
const LOOK: Duration = Duration::from_millis(100);

/// What the tasks tell the thread that draws.
enum News {
    Snapshot(Box<Snapshot>),
    Silent(String),
    /// A signal asked the process to end.
    End,
}

/// What a key asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    Draw,
    Quit,
    Interrupt,
    Sleep,
}

/// Watches until `q`, Ctrl-C or a signal.
pub(super) fn watch(runtime: &Runtime, operator: Operator, first: Snapshot) -> ExitCode {
    let server = operator.authority().to_owned();
    let (tell, news) = channel();
    runtime.spawn(ask(operator, tell.clone()));
    runtime.spawn(end_on_signals(tell));
    let mut screen = match Screen::take() {
        Ok(screen) => screen,
        Err(error) => return fail(UNREACHABLE, format_args!("the terminal cannot be drawn on: {error}")),
    };
    let outcome = draw(&mut screen, &Watched::new(first, server), &news);
    drop(screen);
    match outcome {
        Ok(code) => code,
        Err(error) => fail(UNREACHABLE, format_args!("the terminal is gone: {error}")),
    }
}

/// What is shown, and what is newest.
#[derive(Clone)]
struct Watched {
    shown: Arc<Snapshot>,
    newest: Arc<Snapshot>,
    paused: bool,
    silent: Option<String>,
    view: View,
}

impl Watched {
    fn new(first: Snapshot, server: String) -> Self {
        let first = Arc::new(first);
        let view = View {
            columns: 80,
            rows: 24,
            look: Look { colour: is_rich(), ascii: !is_utf8() },
            server,
            pane: Pane::All,
            sort: Sort::Peak,
            notice: None,
        };
        Self { shown: Arc::clone(&first), newest: first, paused: false, silent: None, view }
    }

    fn hear(&mut self, news: News) -> Asked {
        match news {
            News::Snapshot(snapshot) => {
                self.newest = Arc::new(*snapshot);
                self.silent = None;
                if !self.paused {
                    self.shown = Arc::clone(&self.newest);
                }
            }
            News::Silent(why) => self.silent = Some(why),
            News::End => return Asked::Quit,
        }
        self.notice();
        Asked::Draw
    }

    fn press(&mut self, key: KeyEvent) -> Asked {
        let pane = |to: Pane, now: Pane| if now == to { Pane::All } else { to };
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Asked::Interrupt,
            KeyCode::Char('z') if control => return Asked::Sleep,
            KeyCode::Char('q') => return Asked::Quit,
            KeyCode::Esc => self.view.pane = Pane::All,
            KeyCode::Char('p') => self.view.pane = pane(Pane::Providers, self.view.pane),
            KeyCode::Char('l') if control => {}
            KeyCode::Char('l') => self.view.pane = pane(Pane::Limits, self.view.pane),
            KeyCode::Char('f') => self.view.pane = pane(Pane::Failures, self.view.pane),
            KeyCode::Char('?') => self.view.pane = pane(Pane::Help, self.view.pane),
            KeyCode::Char('s') => self.view.sort = self.view.sort.next(),
            KeyCode::Char('.') => {
                self.paused = !self.paused;
                self.shown = Arc::clone(&self.newest);
                self.notice();
            }
            _ => return Asked::Nothing,
        }
        Asked::Draw
    }

    /// What is paused or silent says so, and since when.
    fn notice(&mut self) {
        let since = clock(&self.shown.at);
        self.view.notice = match (&self.silent, self.paused) {
            (Some(why), _) => Some(format!("○ stale since {since}: {why}")),
            (None, true) => Some(format!("○ paused since {since}: press . to go on")),
            (None, false) => None,
        };
    }
}

fn draw(screen: &mut Screen, start: &Watched, news: &Receiver<News>) -> std::io::Result<ExitCode> {
    let mut watched = start.clone();
    let mut due = true;
    loop {
        if due {
            (watched.view.columns, watched.view.rows) = screen.size()?;
            screen.show(&lines(&watched.shown, &watched.view))?;
            due = false;
        }
        let mut asked: Vec<Asked> = Vec::new();
        if poll(LOOK)? {
            asked.push(match read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => watched.press(key),
                Event::Resize(..) => Asked::Draw,
                _ => Asked::Nothing,
            });
        }
        asked.extend(news.try_iter().map(|news| watched.hear(news)));
        for asked in asked {
            match asked {
                Asked::Nothing => {}
                Asked::Draw => due = true,
                Asked::Quit => return Ok(ExitCode::SUCCESS),
                Asked::Interrupt => return Ok(ExitCode::from(130)),
                Asked::Sleep => {
                    screen.sleep()?;
                    due = true;
                }
            }
        }
    }
}

async fn ask(operator: Operator, tell: Sender<News>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // The first snapshot is there already.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let told = match super::ask(&operator).await {
            Ok((_, snapshot)) => News::Snapshot(Box::new(snapshot)),
            Err(fault) => News::Silent(fault.to_string()),
        };
        if tell.send(told).is_err() {
            return;
        }
    }
}

async fn end_on_signals(tell: Sender<News>) {
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let [Ok(mut terminate), Ok(mut interrupt), Ok(mut hang_up)] = kinds.map(signal) else { return };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hang_up.recv() => {}
    }
    let _ = tell.send(News::End);
}
