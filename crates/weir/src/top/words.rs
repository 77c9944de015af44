//! How figures of the live view read, in cells of a fixed width.

use crate::terminal::numbers;
pub(crate) use weir_units::numbers::whole_percent as percent;

/// What stands for a time of day, as a time that is written out has it.
pub(super) fn clock(at: &str) -> &str {
    at.get(11..19).unwrap_or(at)
}

/// A rate: `18.2`.
pub(super) fn rate(per_second: f64) -> String {
    if per_second < 99.95 { format!("{per_second:.1}") } else { format!("{per_second:.0}") }
}

/// A part of a whole: in percent, or as `1 of 3` where the whole is too small for a share to say much.
pub(super) fn part(part: u64, of: u64) -> String {
    match of {
        1..20 if part > 0 => format!("{part} of {of}"),
        _ => numbers::share(part, of),
    }
}

/// A span of seconds: `2.1 s`, `41 s`, `9 h 13 min`.
pub(crate) fn span(seconds: f64) -> String {
    match seconds {
        ..0.0005 => "0\u{202f}s".to_owned(),
        10.0..59.5 => format!("{seconds:.0}\u{202f}s"),
        _ => numbers::micros((seconds * 1e6) as u64),
    }
}

/// Milliseconds, unknown as `—`.
pub(super) fn millis(ms: Option<u64>) -> String {
    ms.map_or_else(|| "—".to_owned(), numbers::millis)
}

/// `text` in at most `width` cells, cut in the middle, where names differ least.
pub(crate) fn cut(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    let (head, tail) = (width / 2, width.saturating_sub(width / 2 + 1));
    let mut short: String = text.chars().take(head).collect();
    if width > 0 {
        short.push('…');
    }
    short.extend(text.chars().skip(count - tail));
    short
}

/// `text` in at most `width` cells, cut at its end, as sentences are.
pub(super) fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// `text` in lines of at most `width` cells, broken between words; the last of `most` lines loses its end.
pub(super) fn wrap(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        let needed = line.chars().count() + usize::from(!line.is_empty()) + word.chars().count();
        if needed <= width || line.is_empty() || lines.len() == most {
            let Some(line) = lines.last_mut() else { break };
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.iter().map(|line| clip(line, width)).collect()
}

/// A limit's bar: `#` for the last minute, dots up to the peak, `|` at the peak. The whole width is the limit.
pub(super) fn bar(used: f64, peak: f64, cells: usize) -> String {
    let place = |share: f64| ((share * cells as f64).ceil() as usize).min(cells);
    let (filled, mark) = (place(used), place(peak.max(used)));
    (1..=cells)
        .map(|cell| match cell {
            _ if cell == mark => '|',
            _ if cell <= filled => '#',
            _ if cell < mark => '.',
            _ => ' ',
        })
        .collect()
}

/// Sixty seconds in `cells` cells, each the largest of its seconds; the highest fills a cell.
pub(super) fn spark(seconds: &[u64], cells: usize, ascii: bool) -> String {
    let levels: &[char] = if ascii {
        &['_', '.', ':', '-', '=', '+', '*', '#']
    } else {
        &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
    };
    let each = seconds.len().div_ceil(cells.max(1)).max(1);
    let highest = seconds.iter().copied().max().unwrap_or(0).max(1);
    seconds
        .chunks(each)
        .map(|chunk| {
            let most = chunk.iter().copied().max().unwrap_or(0);
            levels[usize::try_from((most * 7).div_ceil(highest)).unwrap_or(7).min(7)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_filled_to_the_last_minute_and_marked_at_the_peak() {
        assert_eq!(bar(0.61, 0.94, 10), "#######..|");
        assert_eq!(bar(0.5, 0.5, 10), "####|     ");
        assert_eq!(bar(0.0, 0.0, 10), "          ");
        assert_eq!(bar(0.001, 0.2, 10), "#|        ");
        assert_eq!(bar(0.3, 1.4, 10), "###......|");
        assert_eq!(bar(2.0, 2.0, 10), "#########|");
    }

    #[test]
    fn sentences_break_between_words() {
        assert_eq!(wrap("one two three four", 9, 3), ["one two", "three", "four"]);
        assert_eq!(wrap("one two three four", 9, 2), ["one two", "three fo…"]);
        assert_eq!(wrap("incomprehensibilities", 9, 2), ["incompre…"]);
    }

    #[test]
    fn sparks_show_the_highest_of_each_group_and_are_flat_where_nothing_was() {
        assert_eq!(spark(&[0, 0, 7, 1], 4, false), "▁▁█▂");
        assert_eq!(spark(&[0, 0, 7, 1], 2, false), "▁█");
        assert_eq!(spark(&[0, 0], 2, true), "__");
        assert_eq!(spark(&[], 5, true), "");
    }

    #[test]
    fn figures_are_short_and_small_parts_are_counted() {
        let plain = |text: String| text.replace('\u{202f}', " ");
        assert_eq!(plain(percent(0.004)), "< 1 %");
        assert_eq!(plain(percent(1.04)), "104 %");
        assert_eq!((part(1, 3), plain(part(1, 50)), part(0, 0)), ("1 of 3".into(), "2.0 %".into(), "—".into()));
        assert_eq!(
            (plain(span(2.14)), plain(span(41.2)), plain(span(33_180.0))),
            ("2.1 s".into(), "41 s".into(), "9 h 13 min".into())
        );
        assert_eq!((rate(18.24), rate(1_234.0)), ("18.2".into(), "1234".into()));
        assert_eq!((cut("openai/gpt-5.2-mini", 9), clip("one two three", 8)), ("open…mini".into(), "one two…".into()));
    }
}
