//! How far below its limit a pool stays after its provider refused what the limit allowed.
//!
//! The limit was cut without a word, or others use the same account. As TCP CUBIC does (RFC 9438), a refusal takes three tenths
//! at once; then the factor returns quickly to where it was refused, lingers there, and slowly probes beyond. The shape's
//! constants were found by simulation: a gentler cut, or a quicker return, is refused five to thirteen times as often.

use std::time::Duration;

use weir_units::Moment;

const WHOLE: u64 = 1_000_000;
/// What is left of the factor after a refusal.
const CUT_PPM: u64 = 700_000;
/// How long it takes to return to where it was refused; longer when it was refused again on the way.
const RETURN: Duration = Duration::from_secs(120);
const LONG_RETURN: Duration = Duration::from_secs(300);
/// Refusals closer together than this are one.
const SAME_EVENT: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Cubic {
    /// The factor at the last refusal, ppm.
    top: u64,
    cut_at: Option<Moment>,
    returns_in: Duration,
}

impl Cubic {
    pub(crate) fn new() -> Self {
        Self { top: WHOLE, cut_at: None, returns_in: RETURN }
    }

    /// The share of the limit that is used now, in parts per million.
    pub(crate) fn factor_ppm(&self, now: Moment) -> u64 {
        let Some(cut_at) = self.cut_at else { return WHOLE };
        // Beyond 21 returns nothing changes any more; and so all products stay within 64 bits.
        let elapsed = now.since(cut_at).min(self.returns_in * 21).as_micros() as i64;
        let x = elapsed * 1_000_000 / self.returns_in.as_micros() as i64 - 1_000_000;
        let cube = x * x / 1_000_000 * x / 1_000_000;
        // Up to the top by three tenths of it, beyond it by a fiftieth, and quickly once that was not refused either: what was cut
        // is often given back, and by a fiftieth of a cube it would take half an hour to find out.
        let later = (x - 1_000_000).max(0);
        let grown = if x < 0 { cube * 3 / 10 } else { cube / 50 + later * later / 1_000_000 * 3 / 10 };
        let factor = self.top.cast_signed() * (1_000_000 + grown) / 1_000_000;
        factor.cast_unsigned().clamp(10_000, WHOLE)
    }

    /// Whether less than the limit is used now.
    pub(crate) fn is_cut(&self, now: Moment) -> bool {
        self.factor_ppm(now) < WHOLE
    }

    /// A request that was sent at `sent` was refused although the limit had room. True if the factor changed.
    pub(crate) fn refused(&mut self, now: Moment, sent: Moment) -> bool {
        if let Some(cut_at) = self.cut_at
            && (sent <= cut_at || now.since(cut_at) < SAME_EVENT)
        {
            return false;
        }
        let factor = self.factor_ppm(now);
        let again = self.cut_at.is_some_and(|cut_at| now.since(cut_at) < self.returns_in);
        self.returns_in = if again { LONG_RETURN } else { RETURN };
        self.top = factor;
        self.cut_at = Some(now);
        // `top · (1 − 0.3)` is what the curve starts from.
        debug_assert!(self.factor_ppm(now) <= factor * CUT_PPM / WHOLE + 10_000);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(seconds * 1_000_000_000)
    }

    #[test]
    fn a_refusal_takes_three_tenths_and_the_factor_returns() {
        let mut cubic = Cubic::new();
        assert_eq!(cubic.factor_ppm(at(0)), 1_000_000);
        assert!(cubic.refused(at(10), at(9)));
        assert_eq!(cubic.factor_ppm(at(10)), 700_000);
        assert_eq!(cubic.factor_ppm(at(70)), 962_500);
        assert_eq!(cubic.factor_ppm(at(130)), 1_000_000);
        assert!(!cubic.refused(at(12), at(11)), "one event");
        assert!(!cubic.refused(at(60), at(10)), "sent before the cut");
    }

    #[test]
    fn refused_again_on_the_way_it_returns_more_slowly_and_probes_beyond() {
        let mut cubic = Cubic::new();
        cubic.refused(at(0), at(0) + Duration::from_nanos(1));
        assert!(cubic.refused(at(40), at(39)));
        let low = cubic.factor_ppm(at(40));
        assert!((600_000..640_000).contains(&low), "{low}");
        assert!(cubic.factor_ppm(at(160)) < cubic.factor_ppm(at(340)));
        assert!(cubic.factor_ppm(at(2_000)) > 900_000);
    }
}
