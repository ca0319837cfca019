-- Ticks in blocks.
--
-- This is the first schema that this version reads. Files of the schemas 1 to 3 are refused.
--
-- Unsigned 64-bit numbers (epochs, offsets) are stored in offset binary, so that they sort: the
-- number is `column + 9223372036854775807 + 1`. Columns that end in _ns are UTC nanoseconds.

-- Facts about the file, such as the id of the log that its ticks are from.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Trades of one instrument, one event-time hour and one partition, in order of offsets.
--
-- The table has rowids, and its key is a separate index: a table without rowids stores rows in the
-- tree of its key, and with bodies this large every inner page would hold only a few of them
-- (https://www.sqlite.org/withoutrowid.html#when_to_use_without_rowid). This way a body is written
-- once, at the end, and a search reads only keys.
CREATE TABLE tick_blocks (
    id             INTEGER NOT NULL PRIMARY KEY,
    instrument     TEXT    NOT NULL, -- venue:symbol
    hour_ns        INTEGER NOT NULL, -- the hour's first nanosecond
    epoch          INTEGER NOT NULL,
    partition      INTEGER NOT NULL,
    first_offset   INTEGER NOT NULL,
    last_offset    INTEGER NOT NULL,
    tick_count     INTEGER NOT NULL,
    min_time_ns    INTEGER NOT NULL,
    max_time_ns    INTEGER NOT NULL,
    last_append_ns INTEGER NOT NULL, -- the greatest append time of its ticks
    body           BLOB    NOT NULL
) STRICT;

CREATE UNIQUE INDEX tick_blocks_by_key
    ON tick_blocks (instrument, hour_ns, epoch, partition, first_offset, last_offset);

CREATE INDEX tick_blocks_by_append ON tick_blocks (last_append_ns);

-- Edits and cancels, in blocks of the same form. They are kept longer than trades.
CREATE TABLE amendment_blocks (
    id             INTEGER NOT NULL PRIMARY KEY,
    instrument     TEXT    NOT NULL, -- venue:symbol
    hour_ns        INTEGER NOT NULL, -- the hour's first nanosecond
    epoch          INTEGER NOT NULL,
    partition      INTEGER NOT NULL,
    first_offset   INTEGER NOT NULL,
    last_offset    INTEGER NOT NULL,
    tick_count     INTEGER NOT NULL,
    min_time_ns    INTEGER NOT NULL,
    max_time_ns    INTEGER NOT NULL,
    last_append_ns INTEGER NOT NULL, -- the greatest append time of its ticks
    body           BLOB    NOT NULL
) STRICT;

CREATE UNIQUE INDEX amendment_blocks_by_key
    ON amendment_blocks (instrument, hour_ns, epoch, partition, first_offset, last_offset);

CREATE INDEX amendment_blocks_by_append ON amendment_blocks (last_append_ns);

-- How far each partition of `trades` has been archived.
CREATE TABLE archive_progress (
    partition      INTEGER NOT NULL PRIMARY KEY,
    epoch          INTEGER NOT NULL, -- the generation of `trades`
    next_offset    INTEGER NOT NULL, -- the first offset that is not archived yet
    append_time_ns INTEGER NOT NULL  -- the greatest append time of the archived records
) STRICT;
