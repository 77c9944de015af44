//! The first sentence of a page, made from its figures: what is the matter, since when, and where to look.
//!
//! Templates in order of what matters most; the first that applies is said. No sentence is longer than 140 characters.

use maud::{Markup, html};

use crate::words::cut;

/// How grave it is what a sentence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// All is as it should be.
    Calm,
    /// Weir copes, but somebody should know.
    Warn,
    /// Somebody must do something.
    Bad,
}

/// A sentence, how grave it is, and where to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// How grave it is.
    pub tone: Tone,
    /// The sentence.
    pub words: String,
    /// A page that shows more, and what the link to it says.
    pub link: Option<(String, String)>,
}

impl Headline {
    /// A sentence without a link.
    pub fn new(tone: Tone, words: impl Into<String>) -> Self {
        Self { tone, words: cut(&words.into(), 140), link: None }
    }

    /// That all is well, or nothing is known that is not.
    pub fn calm(words: impl Into<String>) -> Self {
        Self::new(Tone::Calm, words)
    }

    /// Where to go on.
    #[must_use]
    pub fn to(mut self, href: impl Into<String>, says: impl Into<String>) -> Self {
        self.link = Some((href.into(), says.into()));
        self
    }

    /// The sentence at the top of its page.
    #[must_use]
    pub fn render(&self) -> Markup {
        let class = match self.tone {
            Tone::Calm => "lead",
            Tone::Warn => "lead is-warn",
            Tone::Bad => "lead is-bad",
        };
        html! {
            p class=(class) {
                (self.words)
                @if let Some((href, says)) = &self.link { " " a class="onward" href=(href) { (says) } }
            }
        }
    }
}

/// The first of several that applies, in the order of what matters most.
#[must_use]
pub fn first(of: impl IntoIterator<Item = Option<Headline>>) -> Headline {
    of.into_iter().flatten().next().unwrap_or_else(|| Headline::calm("Nothing to tell yet."))
}
