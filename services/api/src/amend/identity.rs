//! The ids of amendments.

use std::fmt::Write;

use market::{AmendmentKind, TradeId};

use crate::Problem;

/// The id of an amendment: what the request's Idempotency-Key makes it, or one that nobody else
/// has.
///
/// What is done to which trade is part of it, so that a key that is used for several trades by
/// mistake loses none of their amendments.
pub(super) fn of(
    key: Option<[u8; 16]>,
    kind: AmendmentKind,
    trade: &str,
    scope: Option<&str>,
) -> Result<TradeId, Problem> {
    let Some(key) = key else {
        let mut random = [0; 16];
        // Pods and processes must not clash, so it is the system's randomness.
        getrandom::fill(&mut random).map_err(|error| Problem::internal(&error))?;
        return Ok(named(&random));
    };
    let mut digest = blake3::Hasher::new();
    digest.update(&key);
    for part in [kind.name(), trade, scope.unwrap_or("")] {
        digest.update(&(part.len() as u64).to_le_bytes());
        digest.update(part.as_bytes());
    }
    Ok(named(&digest.finalize().as_bytes()[..16]))
}

fn named(bytes: &[u8]) -> TradeId {
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
    fn a_key_gives_the_same_id_for_the_same_deed_alone() {
        let id = |key, kind, trade, scope| of(Some([key; 16]), kind, trade, scope).unwrap();
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
    fn without_a_key_each_is_its_own() {
        let ids = (0..1_000).map(|_| of(None, AmendmentKind::Edit, "7", None).unwrap());
        assert_eq!(ids.collect::<HashSet<_>>().len(), 1_000);
    }
}
