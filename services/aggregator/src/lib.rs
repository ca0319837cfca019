//! Folds trades into bars: a pure state machine and the role around it.
