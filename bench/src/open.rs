//! Clients that ask at fixed moments, whether or not they have an answer: an open loop, which measures what waiting feels like.
//!
//! Requests are due at an even rate and dealt in turn to threads that block, because a sleeping thread wakes within some tens
//! of microseconds and a task's timer within a millisecond. A request that leaves late since its thread still waited for the
//! answer before is counted from when it was due: whoever is slow does not get fewer questions for it ("coordinated omission",
//! Tene 2013).

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::load::{Answer, Asking, Outcome};
use crate::message::Reader;

/// At 200 requests a second each has 160 ms until its next one is due.
const THREADS: u32 = 32;
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks `rate` times a second for `lasting`.
pub fn open(asking: &Asking, rate: f64, lasting: Duration) -> Outcome {
    let request = asking.bytes();
    // The first requests find every thread asleep.
    let start = Instant::now() + Duration::from_millis(50);
    let due = |turn: u32| Duration::from_secs_f64(f64::from(turn) / rate);
    let mut outcome = Outcome::default();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..THREADS)
            .map(|first| {
                let turns = (first..).step_by(THREADS as usize).map(due).take_while(|due| *due < lasting);
                let request = &request;
                scope.spawn(move || client(asking, request, turns.map(|due| start + due)))
            })
            .collect();
        for client in clients {
            match client.join() {
                Ok(theirs) => outcome.append(theirs),
                Err(_) => outcome.fail("a client that panicked".to_owned()),
            }
        }
    });
    outcome
}

/// Asks at each moment of `turns`, on one connection as long as it is good.
fn client(asking: &Asking, request: &[u8], turns: impl Iterator<Item = Instant>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut connection = connect(asking).map_err(|why| outcome.fail(why.to_string())).ok();
    for due in turns {
        let wait = due.saturating_duration_since(Instant::now());
        thread::sleep(wait);
        // How late the kernel woke this thread is not the proxy's doing.
        let since = if wait.is_zero() { due } else { Instant::now() };
        let asked = match &mut connection {
            Some(connection) => connection.ask(asking, request),
            None => connect(asking).and_then(|new| connection.insert(new).ask(asking, request)),
        };
        match asked {
            Ok(answer) => outcome.count(since, &answer),
            Err(why) => {
                outcome.fail(why.to_string());
                connection = None;
            }
        }
    }
    outcome
}

struct Connection {
    stream: TcpStream,
    reader: Reader,
    buffer: Vec<u8>,
}

fn connect(asking: &Asking) -> io::Result<Connection> {
    let stream = TcpStream::connect(asking.to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(Connection { stream, reader: Reader::default(), buffer: vec![0; 16 * 1024] })
}

impl Connection {
    fn ask(&mut self, asking: &Asking, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request)?;
        let mut answer = Answer::awaited(asking);
        loop {
            let count = self.stream.read(&mut self.buffer)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if answer.read(&mut self.reader, &self.buffer[..count])? {
                return Ok(answer);
            }
        }
    }
}
