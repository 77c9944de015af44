//! Joins against a naive model: a conversation is told by its whole text, and a search through all that was ever said.

use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};
use weir_engine::Joined;
use weir_units::Mark;

use crate::world::{Chat, Desk, With, says};

/// What a naive gateway remembers: each answered history, in full, with its run and whether it was gone on from.
#[derive(Default)]
struct Naive {
    answered: Vec<(Vec<Mark>, usize)>,
    runs: usize,
}

impl Naive {
    /// The run with the longest known beginning of a history, or a new one.
    fn join(&mut self, history: &[Mark]) -> usize {
        let known = self.answered.iter().filter(|(beginning, _)| history.starts_with(beginning));
        let run = known.max_by_key(|(beginning, _)| beginning.len()).map(|(_, run)| *run);
        run.unwrap_or_else(|| {
            self.runs += 1;
            self.runs - 1
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever is continued, branched off or begun, a request joins the run that said the longest beginning of it.
    #[test]
    fn a_request_joins_the_run_that_said_the_longest_beginning_of_it(
        moves in proptest::collection::vec((any::<u8>(), any::<u8>(), any::<bool>()), 1..60)
    ) {
        let mut desk = Desk::new();
        let mut naive = Naive::default();
        let mut names = Vec::new();
        // Chats as their clients hold them, each with all its beginnings.
        let mut chats: Vec<Vec<Chat>> = Vec::new();
        for (n, (which, back, begin)) in moves.into_iter().enumerate() {
            desk.pass(100);
            let begin = begin && which % 3 == 0 || chats.is_empty();
            let (at, mut chat) = if begin {
                chats.push(Vec::new());
                (chats.len() - 1, Chat::with("a service", "hello"))
            } else {
                let at = which as usize % chats.len();
                let beginnings = &chats[at];
                // At most the last six answers back, which is what is remembered in any case.
                let back = (back as usize % 6).min(beginnings.len() - 1);
                let mut chat = beginnings[beginnings.len() - 1 - back].clone();
                if back > 0 {
                    let kept = beginnings[..beginnings.len() - back].to_vec();
                    chats.push(kept);
                    chat.user(&format!("another way {n}"));
                    (chats.len() - 1, chat)
                } else {
                    chat.user(&format!("more {n}"));
                    (at, chat)
                }
            };
            let expected = naive.join(&chat.history.messages);
            let turn = says(&format!("answer {n}"));
            let went = desk.turn(&mut chat, &With::default(), &turn);
            let run = went.run.split('~').next().unwrap().to_owned();
            if expected == names.len() {
                prop_assert_eq!(went.joined, Joined::New);
                names.push(run.clone());
            }
            prop_assert_eq!(&names[expected], &run);
            naive.answered.push((chat.history.messages.clone(), expected));
            chats[at].push(chat);
        }
    }
}
