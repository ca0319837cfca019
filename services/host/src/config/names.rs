//! The names that a setting has in each layer.

/// What the names of all variables begin with.
pub(super) const VARIABLE_PREFIX: &str = "CANDLEWICK_";

/// Returns the flag of a setting: `kafka.fetch_bytes` is `--kafka-fetch-bytes`.
pub(super) fn flag_name(key: &str) -> String {
    format!("--{}", key.replace(['.', '_'], "-"))
}

/// Returns the variable of a setting: `kafka.fetch_bytes` is `CANDLEWICK_KAFKA_FETCH_BYTES`.
pub(super) fn variable_name(key: &str) -> String {
    let name = key.replace(['.', '-'], "_").to_uppercase();
    format!("{VARIABLE_PREFIX}{name}")
}
