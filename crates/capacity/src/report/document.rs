//! A report as headings, sentences, lists and tables, written as Markdown or as a page of HTML that needs no other file.

use std::fmt::Write as _;

/// The longest text of a cell or an item; what is longer is cut.
const LONGEST: usize = 400;

/// A report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// What it is.
    pub title: String,
    /// What it says, in order.
    pub blocks: Vec<Block>,
}

/// A part of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// The one sentence that says it all.
    Lead(String),
    /// A heading.
    Heading(String),
    /// A sentence or some.
    Text(String),
    /// Items.
    List(Vec<String>),
    /// Columns of texts, then columns of figures: so many of the former.
    Table {
        /// What the columns are.
        head: Vec<String>,
        /// The rows.
        rows: Vec<Vec<String>>,
        /// How many columns are texts.
        texts: usize,
    },
}

impl Document {
    /// A report that says nothing yet.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), blocks: Vec::new() }
    }

    pub(super) fn lead(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Lead(text.into()));
    }

    pub(super) fn heading(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Heading(text.into()));
    }

    pub(super) fn text(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Text(text.into()));
    }

    pub(super) fn list(&mut self, items: Vec<String>) {
        if !items.is_empty() {
            self.blocks.push(Block::List(items));
        }
    }

    /// A table; with no row, the sentence in its place.
    pub(super) fn table(&mut self, head: &[&str], texts: usize, rows: Vec<Vec<String>>, otherwise: &str) {
        if rows.is_empty() {
            self.text(otherwise);
            return;
        }
        let head = head.iter().map(|name| (*name).to_owned()).collect();
        self.blocks.push(Block::Table { head, rows, texts });
    }

    /// As Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut page = format!("# {}\n", mark_down(&self.title));
        for block in &self.blocks {
            page.push('\n');
            match block {
                Block::Lead(text) => {
                    let _ = writeln!(page, "**{}**", mark_down(text));
                }
                Block::Heading(text) => {
                    let _ = writeln!(page, "## {}", mark_down(text));
                }
                Block::Text(text) => {
                    let _ = writeln!(page, "{}", mark_down(text));
                }
                Block::List(items) => {
                    for item in items {
                        let _ = writeln!(page, "- {}", mark_down(item));
                    }
                }
                Block::Table { head, rows, texts } => {
                    let line = |cells: &[String]| {
                        let cells: Vec<String> = cells.iter().map(|cell| mark_down(cell)).collect();
                        format!("| {} |\n", cells.join(" | "))
                    };
                    page.push_str(&line(head));
                    let rules: Vec<&str> =
                        (0..head.len()).map(|place| if place < *texts { "---" } else { "---:" }).collect();
                    let _ = writeln!(page, "|{}|", rules.join("|"));
                    for row in rows {
                        page.push_str(&line(row));
                    }
                }
            }
        }
        page
    }

    /// As a page of HTML, with this style sheet in it.
    #[must_use]
    pub fn to_html(&self, style: &str) -> String {
        // Whatever a style sheet holds, it ends where it ends.
        let style = style.replace("</", "<\\/");
        let title = marked_up(&self.title);
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\n<style>{style}\n{OWN}</style></head>\n\
             <body><main>\n<h1>{title}</h1>\n"
        );
        for block in &self.blocks {
            match block {
                Block::Lead(text) => {
                    let _ = writeln!(page, "<p class=\"lead\">{}</p>", marked_up(text));
                }
                Block::Heading(text) => {
                    let _ = writeln!(page, "<h2>{}</h2>", marked_up(text));
                }
                Block::Text(text) => {
                    let _ = writeln!(page, "<p>{}</p>", marked_up(text));
                }
                Block::List(items) => {
                    page.push_str("<ul>\n");
                    for item in items {
                        let _ = writeln!(page, "<li>{}</li>", marked_up(item));
                    }
                    page.push_str("</ul>\n");
                }
                Block::Table { head, rows, texts } => {
                    let cells = |page: &mut String, cells: &[String], tag: &str| {
                        page.push_str("<tr>");
                        for (place, cell) in cells.iter().enumerate() {
                            let class = if place < *texts { "" } else { " class=\"figure\"" };
                            let scope = if tag == "th" { " scope=\"col\"" } else { "" };
                            let _ = write!(page, "<{tag}{scope}{class}>{}</{tag}>", marked_up(cell));
                        }
                        page.push_str("</tr>\n");
                    };
                    page.push_str("<table>\n<thead>");
                    cells(&mut page, head, "th");
                    page.push_str("</thead>\n<tbody>");
                    for row in rows {
                        cells(&mut page, row, "td");
                    }
                    page.push_str("</tbody></table>\n");
                }
            }
        }
        page.push_str("</main></body></html>\n");
        page
    }
}

/// What a report wants beside the dashboard's style sheet.
const OWN: &str = "body{display:block}main{max-width:960px;margin:0 auto;padding:24px}h1{font-size:20px;line-height:28px}\
h2{font-size:16px;line-height:24px;margin:24px 0 8px}p{max-width:72ch;margin:0 0 8px}.lead{font-size:16px;line-height:24px;font-weight:600}\
main ul{list-style:disc;padding-left:20px;margin:0 0 8px}main li{max-width:80ch;margin:0 0 4px}table{border-collapse:collapse;width:100%;\
margin:0 0 8px}th,td{text-align:left;padding:4px 8px;border-bottom:1px solid var(--line,#d5d9e0);vertical-align:top}\
.figure{text-align:right;font-variant-numeric:tabular-nums}@media print{main{padding:0}}";

/// A text whose names may be anybody's: no controls, no marks that turn its direction round, and not without end.
fn plain(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            said.push('…');
            break;
        }
        match c {
            '\n' | '\t' => said.push(' '),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                let _ = write!(said, "⟨U+{:04X}⟩", u32::from(c));
            }
            c if c.is_control() => {
                let _ = write!(said, "⟨U+{:04X}⟩", u32::from(c));
            }
            c => said.push(c),
        }
    }
    said
}

fn marked_up(text: &str) -> String {
    plain(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// What means something in Markdown means itself; code in backticks stays code.
fn mark_down(text: &str) -> String {
    let text = plain(text);
    let mut said = String::with_capacity(text.len());
    let code = text.matches('`').count().is_multiple_of(2);
    let mut inside = false;
    for c in text.chars() {
        match c {
            '`' if code => {
                inside = !inside;
                said.push('`');
            }
            '|' => said.push_str("\\|"),
            '<' if !inside => said.push_str("&lt;"),
            '*' | '_' | '[' | ']' | '`' | '\\' if !inside => {
                said.push('\\');
                said.push(c);
            }
            c => said.push(c),
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_text_in_both_forms() {
        let mut document = Document::new("Report");
        let name = "<script>alert(1)</script>|\u{202e}*x*\u{7}";
        document.table(&["key", "cost"], 1, vec![vec![name.to_owned(), "$1".to_owned()]], "");
        let markdown = document.to_markdown();
        assert!(markdown.contains("&lt;script>alert(1)&lt;/script>\\|⟨U+202E⟩\\*x\\*⟨U+0007⟩ | $1 |"), "{markdown}");
        let html = document.to_html("</style><script>");
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;|⟨U+202E⟩"), "{html}");
        assert!(!html.contains("<script>alert") && html.matches("</style>").count() == 1, "{html}");
    }

    #[test]
    fn a_table_without_rows_is_its_sentence_and_code_stays_code() {
        let mut document = Document::new("R");
        document.table(&["a"], 1, Vec::new(), "none; see `weir_x`");
        assert_eq!(document.to_markdown(), "# R\n\nnone; see `weir_x`\n");
    }
}
