//! The process shell: configuration, telemetry, health, supervision, shutdown.
