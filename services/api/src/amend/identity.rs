//! The ids of amendments.

use std::fmt::Write;

use market::{AmendmentKind, TradeId};

use crate::problem::Problem;

/// Returns the id of a new amendment: derived from the digest of the request's Idempotency-Key and
/// body, so that a repeated request gets the same id, or random if the request has no key.
///
/// The kind and the trade are part of a derived id, so that no amendment is lost if a client uses
/// one key for several trades by mistake.
pub(super) fn new_amendment_id(
    key_digest: Option<[u8; 16]>,
    kind: AmendmentKind,
    trade_name: &str,
    scope: Option<&str>,
) -> Result<TradeId, Problem> {
    let Some(key) = key_digest else {
        let mut random = [0; 16];
        // The ids of different processes must differ, so the randomness is the system's.
        getrandom::fill(&mut random).map_err(|error| Problem::log_internal_error(&error))?;
        return Ok(hexadecimal_trade_id(&random));
    };
    let mut digest = blake3::Hasher::new();
    digest.update(&key);
    for part in [kind.name(), trade_name, scope.unwrap_or("")] {
        digest.update(&(part.len() as u64).to_le_bytes());
        digest.update(part.as_bytes());
    }
    Ok(hexadecimal_trade_id(&digest.finalize().as_bytes()[..16]))
}

fn hexadecimal_trade_id(bytes: &[u8]) -> TradeId {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to memory cannot fail");
    }
    TradeId::parse(&text).expect("hexadecimal digits are visible ASCII")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_key_gives_the_same_id_only_for_the_same_amendment_of_the_same_trade() {
        let id = |key, kind, trade, scope| {
            new_amendment_id(Some([key; 16]), kind, trade, scope).unwrap()
        };
        let first = id(1, AmendmentKind::Edit, "7", None);
        assert_eq!(id(1, AmendmentKind::Edit, "7", None), first);
        let others = [
            first,
            id(2, AmendmentKind::Edit, "7", None),
            id(1, AmendmentKind::Cancel, "7", None),
            id(1, AmendmentKind::Edit, "8", None),
            id(1, AmendmentKind::Edit, "7", Some("X")),
            id(1, AmendmentKind::Edit, "7X", None),
        ];
        assert_eq!(HashSet::from(others).len(), 6);
    }

    #[test]
    fn without_a_key_every_id_is_different() {
        let ids =
            (0..1_000).map(|_| new_amendment_id(None, AmendmentKind::Edit, "7", None).unwrap());
        assert_eq!(ids.collect::<HashSet<_>>().len(), 1_000);
    }
}
