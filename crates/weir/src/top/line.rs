//! Lines of cells: text of a known width with a tone, so that columns stay columns in UTF-8 and in ASCII.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::words::clip;
use crate::terminal::ascii;

/// What a text means; how that looks is decided once, here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Strong,
    Faint,
    Ok,
    Info,
    Warn,
    Bad,
}

/// How a terminal shows things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// It takes colours.
    pub(crate) colour: bool,
    /// Its locale shows ASCII alone.
    pub(crate) ascii: bool,
}

/// A line that grows from the left.
pub(super) struct Cells {
    look: Look,
    spans: Vec<Span<'static>>,
    width: usize,
}

impl Cells {
    /// A line that begins with a space, as all do.
    pub(super) fn new(look: Look) -> Self {
        Self { look, spans: vec![Span::raw(" ")], width: 1 }
    }

    /// An empty line.
    pub(super) fn bare(look: Look) -> Self {
        Self { look, spans: Vec::new(), width: 0 }
    }

    /// Text as it is.
    pub(super) fn text(mut self, text: &str, tone: Tone) -> Self {
        let text = self.look.text(text);
        self.width += text.chars().count();
        self.spans.push(Span::styled(text, self.look.style(tone)));
        self
    }

    /// Text in a column of `width` cells, at its left; what is longer loses its end.
    pub(super) fn left(self, text: &str, width: usize, tone: Tone) -> Self {
        let text = clip(&self.look.text(text), width);
        let padded = format!("{text:<width$}");
        self.text(&padded, tone)
    }

    /// Text in a column of `width` cells, at its right.
    pub(super) fn right(self, text: &str, width: usize, tone: Tone) -> Self {
        let text = clip(&self.look.text(text), width);
        let padded = format!("{text:>width$}");
        self.text(&padded, tone)
    }

    /// Space up to a column, and at least one.
    pub(super) fn until(self, column: usize) -> Self {
        let space = column.saturating_sub(self.width).max(1);
        self.text(&" ".repeat(space), Tone::Plain)
    }

    pub(super) fn done(self) -> Line<'static> {
        Line::from(self.spans)
    }
}

impl Look {
    /// `text` as the locale can show it.
    fn text(self, text: &str) -> String {
        if self.ascii { ascii(text) } else { text.to_owned() }
    }

    /// The sixteen colours that the user's theme decides.
    fn style(self, tone: Tone) -> Style {
        let colour = |colour| if self.colour { Style::new().fg(colour) } else { Style::new() };
        match tone {
            Tone::Plain => Style::new(),
            Tone::Strong => Style::new().add_modifier(Modifier::BOLD),
            Tone::Faint => colour(Color::DarkGray),
            Tone::Ok => colour(Color::Green),
            Tone::Info => colour(Color::Blue),
            Tone::Warn => colour(Color::Yellow),
            Tone::Bad => colour(Color::Red),
        }
    }
}
