//! Digests of ids that are no numbers.

/// The secret key of the digests. A client that does not know it cannot find two ids with the same
/// digest.
///
/// It is stored with the state, so that every worker computes the same digests.
#[derive(Clone, Copy)]
pub(crate) struct IdDigestKey([u8; 32]);

impl IdDigestKey {
    pub(crate) const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Returns the digest of an id: 128 bits of a keyed BLAKE3 hash.
    pub(crate) fn digest(&self, id: &str) -> u128 {
        let hash = blake3::keyed_hash(&self.0, id.as_bytes());
        let (half, _) = hash
            .as_bytes()
            .split_first_chunk()
            .expect("it has 32 bytes");
        u128::from_be_bytes(*half)
    }
}

/// Does not print the key.
impl std::fmt::Debug for IdDigestKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("IdDigestKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::IdDigestKey;

    #[test]
    fn a_digest_depends_on_the_key_and_on_the_id() {
        let (key, other) = (IdDigestKey::new([1; 32]), IdDigestKey::new([2; 32]));
        assert_eq!(key.digest("a"), IdDigestKey::new([1; 32]).digest("a"));
        assert_ne!(key.digest("a"), other.digest("a"));
        assert_ne!(key.digest("a"), key.digest("b"));
        assert_eq!(format!("{key:?}"), "IdDigestKey(..)");
    }
}
