//! A partitioned, durable log behind one trait.
