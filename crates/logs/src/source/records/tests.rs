//! How records are cut out of what is whole, damaged, too long or read in small pieces.

use proptest::prelude::{prop_assert_eq, proptest};

use super::*;

/// What is read if so many bytes are read at once.
fn told(text: &[u8], longest: usize, chunk: usize) -> Vec<(u64, String)> {
    let mut records = Records { chunk, ..Records::new(text, longest) };
    let mut told = Vec::new();
    loop {
        let record = match records.next() {
            None => return told,
            Some(Record::Whole(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            Some(Record::Broken(bytes)) => format!("broken {}", String::from_utf8_lossy(bytes).trim_end()),
            Some(Record::TooLong(length)) => format!("too long {length}"),
            Some(Record::Cut(why)) => format!("cut {why}"),
        };
        told.push((records.begin(), record));
    }
}

fn all(text: &str) -> Vec<(u64, String)> {
    let whole = told(text.as_bytes(), 1_000, 1 << 20);
    for chunk in [1, 3, 7] {
        assert_eq!(told(text.as_bytes(), 1_000, chunk), whole, "{chunk} bytes at a time: {text:?}");
    }
    whole
}

fn texts(text: &str) -> Vec<String> {
    all(text).into_iter().map(|(_, text)| text).collect()
}

#[test]
fn lines_end_in_any_way_and_a_byte_order_mark_is_none_of_them() {
    assert_eq!(texts("\u{feff}{\"a\":1}\r\n{\"b\":2}\n\n{\"c\":3}"), [r#"{"a":1}"#, r#"{"b":2}"#, "", r#"{"c":3}"#]);
    assert_eq!(texts(""), Vec::<String>::new());
    assert_eq!(texts("\n\n"), ["", ""]);
    assert_eq!(all("one\ntwo\n")[1], (2, "two".to_owned()));
}

#[test]
fn elements_of_an_array_are_records_however_it_is_laid_out() {
    let expected = [r#"{"a":"]}"}"#, r#"{"b":[1,{"c":2}]}"#];
    for text in [
        r#"[{"a":"]}"},{"b":[1,{"c":2}]}]"#,
        "[\n  {\"a\":\"]}\"},\n  {\"b\":[1,{\"c\":2}]}\n]\n",
        "[\r\n{\"a\":\"]}\"}\r\n,{\"b\":[1,{\"c\":2}]}]",
        r#"{"data": [{"a":"]}"}, {"b":[1,{"c":2}]}], "meta": {"page": 1}}"#,
    ] {
        assert_eq!(texts(text)[..2], expected, "{text}");
    }
    assert_eq!(all("[\n  {\"a\": 1},\n  {\n    \"b\": 2\n  }\n]")[1], (3, "{\n    \"b\": 2\n  }".to_owned()));
    assert_eq!(texts("[]"), Vec::<String>::new());
}

#[test]
fn values_over_several_lines_are_records() {
    assert_eq!(texts("{\n  \"a\": 1\n}\n{\n  \"b\": 2\n}\n"), ["{\n  \"a\": 1\n}", "{\n  \"b\": 2\n}"]);
}

#[test]
fn a_damaged_element_costs_no_other() {
    // A text that does not end, a brace that is missing, and the end of the file.
    let text = "[\n{\"a\":\"1},\n{\"b\":2},\n{\"c\":{\"d\":3},\n{\"e\":4},\n{\"f\":";
    assert_eq!(
        texts(text),
        ["broken {\"a\":\"1},", r#"{"b":2}"#, "broken {\"c\":{\"d\":3},", r#"{"e":4}"#, "broken {\"f\":"]
    );
}

#[test]
fn logs_that_begin_with_a_bracket_are_lines() {
    for text in ["[2026-11-18 14:47:03] POST", "[log_1] sending request {", "[ 1.0 ] x"] {
        assert_eq!(texts(text), [text]);
    }
    assert_eq!(texts("{\"a\":1}\n{\"b\":\n{\"c\":3}\n"), [r#"{"a":1}"#, r#"{"b":"#, r#"{"c":3}"#]);
}

#[test]
fn objects_one_behind_the_other_in_a_line_are_records() {
    assert_eq!(texts(r#"{"a":1}{"a":2},{"a":"}{"}"#), [r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":"}{"}"#]);
    assert_eq!(texts("{\"a\":1}{\"a\":2}\nline\n{\"a\":3}"), [r#"{"a":1}"#, r#"{"a":2}"#, "line", r#"{"a":3}"#]);
    let many = "{\"a\":\"0123456789\"}".repeat(1_000);
    assert!(told(many.as_bytes(), 100, 64).iter().all(|(_, text)| text.contains("0123456789")));
}

#[test]
fn what_is_too_long_is_passed_over_and_reading_goes_on() {
    let long = "x".repeat(5_000);
    assert_eq!(texts(&format!("a\n{long}\nb\n")), ["a", "too long 5000", "b"]);
    let array = format!("[\n{{\"a\":\"{long}\"}},\n{{\"b\":1}}\n]");
    for chunk in [1_000, 1 << 20] {
        let told: Vec<String> = told(array.as_bytes(), 1_000, chunk).into_iter().map(|(_, text)| text).collect();
        assert!(told[0].starts_with("too long") || told[0].contains("\"a\""), "{told:?}");
        assert_eq!(told.last().unwrap(), r#"{"b":1}"#);
    }
}

proptest! {
    #[test]
    fn any_bytes_end_and_are_the_same_in_pieces(bytes: Vec<u8>, chunk in 1_usize..9) {
        prop_assert_eq!(told(&bytes, 64, chunk), told(&bytes, 64, 1 << 20));
    }

    #[test]
    fn lines_are_those_of_the_text(lines in proptest::collection::vec("[a-z ]{1,9}", 1..9)) {
        prop_assert_eq!(texts(&lines.join("\n")), lines);
    }
}
