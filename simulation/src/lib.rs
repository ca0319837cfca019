//! A seeded simulation of a whole cluster: see `tests/simulation`.
