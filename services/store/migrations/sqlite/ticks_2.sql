-- The greatest append time of the records that are archived. A log in a file never goes back, so
-- it need not be known of those that were archived before.
ALTER TABLE positions ADD COLUMN append_time_ns INTEGER NOT NULL DEFAULT 0;
