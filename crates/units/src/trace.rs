//! The trace that a client's request belongs to, as W3C's `traceparent` says it.

use std::fmt;

/// What a valid `traceparent` says: `00-TRACE ID-PARENT ID-FLAGS`, in lower-case hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace's id; never zero.
    pub trace_id: u128,
    /// The span of the client that the request is a child of; 0 on a trace that Weir began, never from a client.
    pub parent: u64,
    /// The flags; bit 0 says that the client samples this trace.
    pub flags: u8,
}

impl TraceContext {
    /// Reads a `traceparent`; none if it is not valid, which W3C wants ignored. Later versions may say more after the flags.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches([' ', '\t']);
        let (head, more) = text.as_bytes().split_at_checked(55)?;
        let dashes = [2, 35, 52].iter().all(|place| head[*place] == b'-');
        let version = hex(&head[..2])?;
        let ends = if version == 0 { more.is_empty() } else { more.first().is_none_or(|byte| *byte == b'-') };
        if !dashes || version == 0xFF || !ends {
            return None;
        }
        let (trace_id, parent) = (hex(&head[3..35])?, u64::try_from(hex(&head[36..52])?).ok()?);
        let flags = u8::try_from(hex(&head[53..55])?).ok()?;
        (trace_id != 0 && parent != 0).then_some(Self { trace_id, parent, flags })
    }

    /// Whether the client samples this trace.
    #[must_use]
    pub fn sampled(self) -> bool {
        self.flags & 1 == 1
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.parent, self.flags)
    }
}

fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |value: u128, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_valid_is_read_and_written_back() {
        let context = TraceContext::parse(W3C).unwrap();
        assert_eq!(context.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!((context.parent, context.sampled()), (0x00f0_67aa_0ba9_02b7, true));
        assert_eq!(context.to_string(), W3C);
        let later = format!("cc{}-what-comes-later", &W3C[2..]);
        assert_eq!(TraceContext::parse(&later), Some(context));
    }

    #[test]
    fn what_is_not_valid_is_none() {
        let zero_trace = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        let zero_parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", "0".repeat(16));
        let more = format!("{W3C}-more");
        let (upper, newest) = (W3C.to_uppercase(), format!("ff{}", &W3C[2..]));
        let odd = format!("00_{}", &W3C[3..]);
        for wrong in ["", "00", "é", &W3C[..54], &zero_trace, &zero_parent, &more, &upper, &newest, &odd] {
            assert_eq!(TraceContext::parse(wrong), None, "{wrong}");
        }
    }
}
