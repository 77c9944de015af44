//! The one place where the live gateway reads a clock or draws what it hands to the engine as randomness.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};
use weir_units::{Moment, RequestId, WallTime};

/// Time since the process began, and the calendar's.
pub(crate) struct Clock {
    began: Instant,
    seed: u64,
    drawn: AtomicU64,
}

impl Clock {
    /// A clock that starts at [`Moment::ZERO`] with a seed from the operating system.
    pub(crate) fn start() -> Self {
        let mut bytes = [0_u8; 8];
        if SystemRandom::new().fill(&mut bytes).is_err() {
            tracing::warn!("the operating system gives no random numbers; request ids are seeded from the time");
            bytes = wall().0.to_le_bytes();
        }
        Self { began: Instant::now(), seed: u64::from_le_bytes(bytes), drawn: AtomicU64::new(0) }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// The tokio instant of a moment, for timers.
    pub(crate) fn instant(&self, at: Moment) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.began + at.since(Moment::ZERO))
    }

    /// A number that no other call of this process gets; not a secret.
    pub(crate) fn draw(&self) -> u64 {
        split_mix(
            self.seed.wrapping_add(self.drawn.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        )
    }

    /// 32 bytes that nobody can guess, where the operating system gives some.
    pub(crate) fn secret(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        if SystemRandom::new().fill(&mut bytes).is_err() {
            for part in bytes.chunks_mut(8) {
                part.copy_from_slice(&self.draw().to_le_bytes());
            }
        }
        bytes
    }

    pub(crate) fn request_id(&self, at: WallTime) -> RequestId {
        RequestId::new(at.millis(), u128::from(self.draw()) << 64 | u128::from(self.draw()))
    }
}

/// The calendar's time.
pub(crate) fn wall() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// SplitMix64's finalizer (Steele, Lea, Flood 2014): consecutive inputs give unrelated outputs.
fn split_mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
