//! Runs the real processes against the real servers, breaks everything, and reconciles.

fn main() {}
