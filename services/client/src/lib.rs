//! A client of Candlewick's API.

mod rest;

pub use rest::{Answer, Rejection, Repaired, Server, ServerError};
