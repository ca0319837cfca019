-- The greatest append time of the records before a position: brokers' clocks differ, and what is
-- read from there on must not be taken to be older than what was read before it. It is 0 where
-- an older version noted the position.
ALTER TABLE positions ADD COLUMN IF NOT EXISTS append_time_ns SimpleAggregateFunction(max, Int64);
