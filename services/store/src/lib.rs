//! Tick and bar stores behind traits, with SQLite implementations.
