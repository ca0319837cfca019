-- Ticks, the archiver's positions, and what SQL may ask of them.
--
-- Each statement may run again: a migration that was cut off is repeated from its first one.
-- A statement ends with a semicolon at the end of a line.
--
-- The code names the tables `trades`, `positions` and `schema_versions` and nothing beneath
-- them: on a sharded, replicated cluster they are distributed tables (or replicated ones) under
-- the same names.

-- One row a record of the log that is a trade, an edit or a cancel. The columns are the one
-- truth: the bytes of the record are not kept beside them, and every value of it can be had
-- back from them, bit for bit.
--
-- The key is a record's place. Its append time is a function of its place too, so rows of one
-- key never lie in different partitions, and replacing collapses every repeat. What a repeat
-- holds is the same: which of two rows stays does not matter.
--
-- A partition is a day of append times, so that the TTL drops whole parts. A part whose last
-- row has expired goes at the next check (`merge_with_ttl_timeout`, in seconds).
--
-- `fsync_after_insert`: an insert is acknowledged when its rows are on the disk, because the
-- position that is written after it says so. Small parts are compact (two files), which is what
-- keeps that cheap.
CREATE TABLE IF NOT EXISTS trades (
    venue          LowCardinality(String),
    symbol         LowCardinality(String),
    hour_ns        Int64  CODEC(Delta, ZSTD(1)), -- the event-time hour's first nanosecond
    epoch          UInt64 CODEC(Delta, ZSTD(1)),
    partition      UInt32 CODEC(Delta, ZSTD(1)),
    offset         UInt64 CODEC(Delta, ZSTD(1)),
    append_time_ns Int64  CODEC(Delta, ZSTD(1)), -- when the log took it, UTC
    time_ns        Int64  CODEC(Delta, ZSTD(1)), -- when it happened, UTC
    kind           Enum8('trade' = 0, 'edit' = 1, 'cancel' = 2) CODEC(ZSTD(1)),
    price          Decimal(38, 18)           CODEC(ZSTD(1)),
    quantity       Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    side           Enum8('none' = 0, 'buy' = 1, 'sell' = 2) CODEC(ZSTD(1)),
    -- Ids that fit 64 bits are numbers; longer digits and other texts are texts.
    id_kind        Enum8('none' = 0, 'number' = 1, 'digits' = 2, 'text' = 3) CODEC(ZSTD(1)),
    id_number      UInt64 CODEC(Delta, ZSTD(1)),
    id_text        String CODEC(ZSTD(1)),
    scope          LowCardinality(Nullable(String)),
    sender_key     Nullable(FixedString(16)) CODEC(ZSTD(1)),
    sender_index   UInt64 CODEC(Delta, ZSTD(1)),
    -- Of an edit or a cancel: its own id, and the place of its trade where that is named so.
    amendment_id   String           CODEC(ZSTD(1)),
    place_epoch    Nullable(UInt64) CODEC(ZSTD(1)),
    place_offset   Nullable(UInt64) CODEC(ZSTD(1)),
    id             String ALIAS if(id_kind = 'number', toString(id_number), id_text)
)
ENGINE = ReplacingMergeTree
PARTITION BY intDiv(append_time_ns, 86400000000000)
ORDER BY (venue, symbol, hour_ns, epoch, partition, offset)
TTL fromUnixTimestamp64Nano(append_time_ns, 'UTC') + INTERVAL 7 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    ttl_only_drop_parts = 1,
    merge_with_ttl_timeout = 3600;

-- The first position of each partition that is not archived. The greatest row is the one that
-- counts, so a late or repeated write cannot move it back. It is not synced: where a loss of
-- power takes the newest rows, ticks are archived again, which changes nothing.
CREATE TABLE IF NOT EXISTS positions (
    partition UInt32,
    next      SimpleAggregateFunction(max, Tuple(UInt64, UInt64)) -- epoch, offset
)
ENGINE = AggregatingMergeTree
ORDER BY partition;
