//! What of a conversation was sent many times already.

use weir_units::Tokens;

use crate::world::{Chat, Desk, With, says};

#[test]
fn what_all_of_the_last_five_requests_had_beyond_the_first_is_stale_and_a_cleared_history_is_not() {
    let mut desk = Desk::new();
    let mut chat = Chat::with("helpful", "hello");
    let mut told = Vec::new();
    // A large result comes with the second request; before the tenth the client clears its history.
    for input in [1_000, 9_000, 9_100, 9_200, 9_300, 9_400, 9_500, 9_600, 9_700, 2_000, 2_100] {
        desk.pass(1);
        let admission = desk.admit(&chat, &With::default());
        told.push(admission.stale.0);
        desk.input = Tokens(input);
        let turn = says(&format!("answer {input}"));
        desk.answer(admission.ticket, &chat.addition(&turn));
        chat.answered(&turn);
        chat.user(&format!("question {input}"));
    }
    assert_eq!(told, [0, 0, 0, 0, 0, 0, 8_000, 8_100, 8_200, 8_300, 1_000]);
}
