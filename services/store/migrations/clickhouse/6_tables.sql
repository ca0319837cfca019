-- Ticks, and the archiver's progress.
--
-- This is the first schema that this version reads. Databases of schemas 1 to 5 are refused.
--
-- Every statement can be run again: an interrupted migration is repeated from its first statement.
-- A statement ends with a semicolon at the end of a line.
--
-- The code uses the tables `trades`, `amendments`, `archive_progress` and `schema_versions` by these
-- names only.
-- On a sharded, replicated cluster, distributed or replicated tables take the same names.

-- One row for each record of the log that is a trade. The columns are the only copy: the bytes of
-- the record are not stored, and every field can be restored from the columns, bit for bit.
--
-- The sorting key contains the position of the record. The append time follows from the position,
-- so rows with the same key are always in the same partition, and ReplacingMergeTree collapses all
-- repeats. Repeats are identical, so it does not matter which of two rows is kept.
--
-- A partition holds one day of append times, so that the TTL drops whole parts. A part whose last
-- row has expired is dropped at the next check (`merge_with_ttl_timeout`, in seconds).
--
-- `fsync_after_insert`: an insert is acknowledged when its rows are on disk, because the archive
-- progress that is written next claims that they are. Small parts are compact (two files), which
-- keeps this cheap.
CREATE TABLE IF NOT EXISTS trades (
    venue          LowCardinality(String),
    symbol         LowCardinality(String),
    hour_ns        Int64  CODEC(Delta, ZSTD(1)), -- the start of the event-time hour
    epoch          UInt64 CODEC(Delta, ZSTD(1)),
    partition      UInt32 CODEC(Delta, ZSTD(1)),
    offset         UInt64 CODEC(Delta, ZSTD(1)),
    append_time_ns Int64  CODEC(Delta, ZSTD(1)), -- when the log accepted the record, UTC
    time_ns        Int64  CODEC(Delta, ZSTD(1)), -- when the trade happened, UTC
    kind           Enum8('trade' = 0, 'edit' = 1, 'cancel' = 2) CODEC(ZSTD(1)),
    price          Decimal(38, 18)           CODEC(ZSTD(1)),
    quantity       Nullable(Decimal(38, 18)) CODEC(ZSTD(1)),
    side           Enum8('none' = 0, 'buy' = 1, 'sell' = 2) CODEC(ZSTD(1)),
    -- Ids that fit 64 bits are in `id_number`; longer digits and other texts are in `id_text`.
    id_kind        Enum8('none' = 0, 'number' = 1, 'digits' = 2, 'text' = 3) CODEC(ZSTD(1)),
    id_number      UInt64 CODEC(Delta, ZSTD(1)),
    id_text        String CODEC(ZSTD(1)),
    scope          LowCardinality(Nullable(String)),
    sender_key     Nullable(FixedString(16)) CODEC(ZSTD(1)),
    sender_index   UInt64 CODEC(Delta, ZSTD(1)),
    -- Only for an edit or a cancel: its own id, and the position of its trade if the amendment
    -- names the trade by position.
    amendment_id   String           CODEC(ZSTD(1)),
    target_epoch   Nullable(UInt64) CODEC(ZSTD(1)),
    target_offset  Nullable(UInt64) CODEC(ZSTD(1)),
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

-- One row for each record of the log that is an edit or a cancel. They are kept longer than any trade
-- that they may change. An edit or a cancel may come up to 6 days before its trade, and a part of
-- trades may be dropped a day and an hour after its first row has expired.
CREATE TABLE IF NOT EXISTS amendments AS trades
ENGINE = ReplacingMergeTree
PARTITION BY intDiv(append_time_ns, 86400000000000)
ORDER BY (venue, symbol, hour_ns, epoch, partition, offset)
TTL fromUnixTimestamp64Nano(append_time_ns, 'UTC') + INTERVAL 15 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    ttl_only_drop_parts = 1,
    merge_with_ttl_timeout = 3600;

-- The first position of each partition that is not archived, and the greatest append time of the
-- records before it. Each column keeps its maximum, so a late or repeated write cannot move either
-- one back. The table is not synced to disk: if a loss of power removes the newest rows, ticks are
-- archived again, which changes nothing. The append time is kept because the clocks of brokers
-- differ: no record that is read later is treated as older than one that was read before it.
CREATE TABLE IF NOT EXISTS archive_progress (
    partition      UInt32,
    next_position  SimpleAggregateFunction(max, Tuple(UInt64, UInt64)), -- epoch, offset
    append_time_ns SimpleAggregateFunction(max, Int64)
)
ENGINE = AggregatingMergeTree
ORDER BY partition;
