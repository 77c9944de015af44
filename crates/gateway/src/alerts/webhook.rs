//! The message as JSON, signed: `x-weir-signature: t=UNIX,v1=HMAC-SHA256(secret, "UNIX." and the body)`.

use ring::hmac;
use serde_json::{Value, json};
use weir_units::WallTime;

use super::message::Letter;

pub(super) fn body(letter: &Letter<'_>, at: WallTime) -> Value {
    json!({
        "event_id": letter.notice.event_id(),
        "event": letter.notice.kind.name(),
        "sent_at": at.to_string(),
        "title": letter.title,
        "alert": letter.alert,
        "chain_head": { "sequence": letter.chain_head.sequence, "hash": letter.chain_head.hash },
    })
}

/// The header's value for a body that is sent at `at`.
pub(super) fn signature(secret: &str, at: WallTime, body: &[u8]) -> String {
    let seconds = at.0.div_euclid(1_000_000);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut signing = hmac::Context::with_key(&key);
    signing.update(format!("{seconds}.").as_bytes());
    signing.update(body);
    let hex: String = signing.sign().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hmac_sha256_of_time_and_body() {
        // printf '1795013223.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let signed = signature("0123456789abcdef", WallTime(1_795_013_223_114_000), br#"{"a":1}"#);
        assert_eq!(signed, "t=1795013223,v1=59cc5232f56849c0331b45ec79d6a1eae46e965c00da75fa5a6159304e68b1d1");
    }
}
