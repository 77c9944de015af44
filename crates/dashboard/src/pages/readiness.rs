//! Readiness: the seven questions, each with its grade, the figures behind it and what to do.

use maud::{Markup, html};

use super::parts::{Mood, card, pill};
use crate::figures::{Answer, Readiness};
use crate::frame::{Content, Context, Page};
use crate::words::headline::{Headline, Tone};
use crate::words::{cut, plain};

/// What is repaired first: what a line of configuration or a few requests repair, then what takes more.
const FIRST: [u64; 7] = [7, 3, 6, 2, 5, 1, 4];

/// The page.
#[must_use]
pub fn readiness(context: &Context, readiness: &Readiness) -> Content {
    let mut content = Content::new(Page::Readiness, headline(readiness));
    content.every = Some(300);
    let rows = html! { div class="cardlist" { @for answer in &readiness.questions { (row(answer)) } } };
    let when = readiness.at().map(|at| html! { span class="soft small" { "30 days to " (context.clock.time(at)) } });
    content = content.region("questions", card("wide", "The seven questions", when, &rows));
    let says = html! {
        p { "A program, or CI, gets the same with an exit code: 0 all pass, 1 a question fails, 3 not enough data." }
        pre { code { "weir diagnose --json" } }
        p { "What each question asks and where it passes is in docs/guide/readiness.md; " code { "weir report" } " writes the weekly report, and " code { "weir report --runbook" } " what users see when each provider is down." }
    };
    content.region("elsewhere", card("wide", "Elsewhere", None, &says))
}

fn headline(readiness: &Readiness) -> Headline {
    let of = |number: &u64, grade: &str| {
        readiness.questions.iter().find(|answer| answer.question == *number && answer.grade == grade)
    };
    let words = |verb: &str, answer: &Answer| {
        let text = format!("{} of 7 pass. {verb}: {}", readiness.pass, plain(&answer.answer));
        format!("{}.", cut(&text, 139).trim_end_matches('.'))
    };
    if let Some(worst) = FIRST.iter().find_map(|number| of(number, "fail")) {
        return Headline::new(Tone::Warn, words("First", worst))
            .to(format!("#question-{}", worst.question), "What to do");
    }
    match FIRST.iter().find_map(|number| of(number, "unknown")) {
        Some(unknown) => Headline::calm(words("Not known", unknown)),
        None => Headline::calm("All 7 questions of readiness pass."),
    }
}

fn row(answer: &Answer) -> Markup {
    let (mood, word) = match answer.grade.as_str() {
        "pass" => (Mood::Ok, "pass"),
        "fail" => (Mood::Bad, "fail"),
        _ => (Mood::Idle, "not enough data"),
    };
    html! {
        section id={ "question-" (answer.question) } {
            h3 { (answer.question) " " (pill(mood, word)) " " (cut(&plain(&answer.answer), 200)) }
            p class="soft small" { (answer.asked) }
            @if let Some(action) = &answer.action {
                p { "Do: " (cut(&plain(action), 300)) @if answer.grade == "fail" { " (docs/runbook.md#" (answer.runbook) ")" } }
            }
            @if !answer.evidence.is_empty() {
                details { summary { "Evidence" } ul { @for line in &answer.evidence { li class="small" { (cut(&plain(line), 300)) } } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(question: u64, grade: &str, answer: &str) -> Answer {
        Answer { question, grade: grade.into(), answer: answer.into(), runbook: "peak".into(), ..Answer::default() }
    }

    #[test]
    fn the_headline_says_what_to_repair_first() {
        let mut readiness = Readiness {
            pass: 4,
            questions: vec![
                answer(5, "fail", "peak hour uses 94 % of gpt-5 input tokens/min"),
                answer(6, "fail", "route smart: secondary gave 3 of 20 answers in 30 days"),
                answer(2, "unknown", "no traffic of smart in the last week to try it on"),
            ],
            ..Readiness::default()
        };
        let first = "4 of 7 pass. First: route smart: secondary gave 3 of 20 answers in 30 days.";
        let said = headline(&readiness);
        assert_eq!((said.words.as_str(), said.tone), (first, Tone::Warn));
        readiness.questions.truncate(0);
        readiness.questions.push(answer(2, "unknown", "no traffic"));
        assert_eq!(headline(&readiness).words, "4 of 7 pass. Not known: no traffic.");
        readiness.questions.clear();
        assert_eq!(headline(&readiness).words, "All 7 questions of readiness pass.");
    }

    #[test]
    fn a_question_shows_shape_word_and_what_to_do_and_names_are_defused() {
        let mut fails = answer(5, "fail", "peak hour uses 94 % of <b>\u{202e}");
        fails.action = Some("ask for more".into());
        fails.evidence.push("gpt-5: 94 %".into());
        let shown = row(&fails).into_string();
        assert!(shown.contains("■") && shown.contains("fail") && shown.contains("Do: ask for more"), "{shown}");
        assert!(shown.contains("&lt;b&gt;") && !shown.contains('\u{202e}') && shown.contains("gpt-5: 94 %"), "{shown}");
    }
}
