//! The producing side: trades checked, keyed, partitioned and appended.
