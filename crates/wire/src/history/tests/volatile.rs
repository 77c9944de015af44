//! What is taken out of a text, and what stays.

use crate::history::volatile::strip;

fn stripped(text: &str) -> String {
    String::from_utf8(strip(text.as_bytes(), &mut Vec::new()).to_vec()).unwrap()
}

#[test]
fn times_and_ids_go() {
    for (text, left) in [
        ("[1700000042] what do you mean?", "[] what do you mean?"),
        ("at 2026-11-27T14:22:25Z it began", "at it began"),
        ("at 2026-11-27T14:22:25.123456+01:00, again", "at , again"),
        ("2026-11-27 14:22:25 INFO start", "INFO start"),
        ("2026-11-27 14:22 INFO", "INFO"),
        ("2026/11/27 14:22:25,123 INFO", "2026/11/27 INFO"),
        ("report_2026-11-27_14-22-25.json", "report_.json"),
        ("report_20261127_142225.json", "report_.json"),
        ("20261127T142225Z done", "done"),
        ("Fri, 27 Nov 2026 14:22:25 GMT", "Fri, 27 Nov 2026 GMT"),
        ("since 1700000042.123456 s", "since s"),
        ("since 1700000042123 or 1700000042123456", "since or"),
        ("call_9f3A7b2Qk", "call_"),
        ("req-7f3a9c21 failed", "req- failed"),
        ("toolu_01A09q90qw90lq917835lq9", "toolu_"),
        ("id 0190a1b2-1111-2222-3333-444455556666.", "id ."),
        ("file-deadbeef-1111-2222-3333-444455556666", "file-"),
        ("at 0x7f3a9c21 in main", "at in main"),
        ("commit 9fceb02d0ae598e95dc970b74767f19372d61af8", "commit"),
        ("{\"id\":\"a1b2c3d4e5\",\"n\":7}", "{\"id\":\"\",\"n\":7}"),
        ("1700000042", ""),
    ] {
        assert_eq!(stripped(text), left, "{text}");
    }
}

#[test]
fn words_and_all_other_numbers_stay() {
    for text in [
        "progress 42 of 200",
        "2026-11-27",
        "from 2026-11-27 to 2026-12-03",
        "12:34",
        "src/main.rs:12:34",
        "src/main.rs:10:20:30",
        "February effaced facade defaced",
        "deadbeef",
        "123456789 rows",
        "12345678901 rows",
        "call 5551234567 now",
        "0.1428571428571428",
        "0.1234567890123",
        "1.2345678e-05",
        "12345678kb read, 16384000ms",
        "987654321B",
        "chapter12.md document17.txt iteration3 TASK0042 page3of20 getUser12ByName",
        "base64url utf8encode sha256 gpt-5.2 x86_64",
        "report20261127.csv",
        "10.0.0.1:8080",
        "99:99:99",
        "déjà vu 12 fois",
    ] {
        assert_eq!(stripped(text), text);
    }
    let data = format!("data {}", "a1".repeat(65));
    assert_eq!(stripped(&data), data, "what is longer than an id is data");
}

#[test]
fn runs_of_blanks_become_one() {
    for (text, left) in [
        ("", ""),
        (" \n\t", ""),
        ("  a  b\n\n\tc \r\n", "a b c"),
        ("a \u{1}b", "a b"),
        ("a\nb", "a\nb"),
        ("0123456789abcdef  x", "x"),
        ("seventeen letters  and blanks", "seventeen letters and blanks"),
        ("fifteen letters\n", "fifteen letters"),
    ] {
        assert_eq!(stripped(text), left, "{text:?}");
    }
    // A blank that begins in one step of the search and goes on in the next.
    for length in 0..40 {
        let word = "x".repeat(length);
        assert_eq!(stripped(&format!("{word}  y")), format!("{word} y").trim_start());
        assert_eq!(stripped(&format!("{word} 7f3a9c21 y")), format!("{word} y").trim_start());
    }
}
