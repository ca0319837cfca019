//! REST and the live stream.
