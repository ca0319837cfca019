//! What two processes must agree on: wire records, topics, keys.
