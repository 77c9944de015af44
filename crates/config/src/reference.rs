//! Every setting there is: its place, its type, its default, what it means, and whether this version acts on it.
//!
//! One table serves three readers: the parser takes known keys, types and defaults from it, `docs/config.md` is printed
//! from it, and so neither can drift from the other.

mod alerting;
mod page;
mod shared;
mod tables;

pub use page::reference_markdown;
pub(crate) use tables::ROOT;

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its key within its table.
    pub(crate) key: &'static str,
    /// What may be written.
    pub(crate) shape: Shape,
    /// What holds where it is not written, as TOML; empty where nothing does.
    pub(crate) default: &'static str,
    /// Whether this version acts on it.
    pub(crate) effect: Effect,
    /// What it means.
    pub(crate) doc: &'static str,
}

/// What may be written for a setting.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Any text but the empty one.
    Text,
    /// `http(s)://host…`
    Url,
    /// `"30s"`, at least this many milliseconds.
    Span(u64),
    /// `"32MiB"`, or bytes; at least one.
    Size,
    /// A whole number of at least this.
    Count(u64),
    /// A number from 0 to 1.
    Share,
    /// An amount of money: a number, or a decimal in quotes.
    Amount,
    /// A price in US dollars per million tokens: a number, or a decimal in quotes, exact to a pico-dollar per token.
    Price,
    /// `true` or `false`.
    Flag,
    /// `"127.0.0.1:4141"`
    Address,
    /// A file, relative to the config's own folder.
    Path,
    /// A secret by reference.
    Secret,
    /// Text, or a secret by reference.
    TextOrSecret,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts.
    Names,
    /// A list of numbers from 0 to 1.
    Shares,
    /// Names of headers, each with its text or secret.
    Headers,
    /// A table of these settings, with their defaults where it is not written.
    Table(&'static [Setting]),
    /// A table of these settings, where the defaults come from somewhere else.
    Partial(&'static [Setting]),
    /// Tables of these settings, each under a name of the operator's.
    Named(&'static [Setting]),
    /// A list of tables of these settings.
    List(&'static [Setting]),
}

/// Whether this version acts on a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It does.
    Acted,
    /// It is read and checked, and that is all. A value written exactly like this is what happens anyway.
    Later(&'static str),
}

impl Shape {
    /// What is expected, as the end of a sentence.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Text => "text in quotes".to_owned(),
            Self::Url => "an address like `\"https://host/v1\"`".to_owned(),
            Self::Span(_) => "a duration like `\"250ms\"`, `\"30s\"` or `\"1h30m\"`".to_owned(),
            Self::Size => "a size like `\"32MiB\"` or `\"1GB\"`, or a number of bytes".to_owned(),
            Self::Count(least) => format!("a whole number of at least {least}"),
            Self::Share => "a number from 0 to 1".to_owned(),
            Self::Amount => "an amount of dollars like `\"20.00\"` or `1.75`".to_owned(),
            Self::Price => "US dollars per million tokens like `1.75`, with at most six decimal places".to_owned(),
            Self::Flag => "`true` or `false`".to_owned(),
            Self::Address => "an address and port like `\"127.0.0.1:4141\"`".to_owned(),
            Self::Path => "a path in quotes".to_owned(),
            Self::Secret => "`{ env = \"NAME\" }` or `{ file = \"/run/secrets/x\" }`".to_owned(),
            Self::TextOrSecret => "text in quotes, `{ env = \"NAME\" }` or `{ file = \"…\" }`".to_owned(),
            Self::Choice(words) => words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(" or "),
            Self::Names => "a list like `[\"a\", \"b\"]`".to_owned(),
            Self::Shares => "a list of numbers from 0 to 1".to_owned(),
            Self::Headers => "a table like `{ \"x-team\" = \"ml\" }`".to_owned(),
            Self::Table(_) | Self::Partial(_) => "a table".to_owned(),
            Self::Named(_) => "a table of tables, each under its name".to_owned(),
            Self::List(_) => "a list of tables".to_owned(),
        }
    }

    /// The settings inside, for the shapes that hold some.
    pub(crate) fn inside(&self) -> &'static [Setting] {
        match self {
            Self::Table(inside) | Self::Partial(inside) | Self::Named(inside) | Self::List(inside) => inside,
            _ => &[],
        }
    }
}
