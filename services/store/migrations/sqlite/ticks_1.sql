-- Ticks in blocks.
--
-- 64-bit unsigned numbers (epochs, offsets) are kept in offset binary, so that they sort: the
-- number is `column + 9223372036854775807 + 1`. Times are UTC nanoseconds.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A table with rowids and an index beside it: without rowids a row lies in the tree of its key,
-- and with bodies this large every inner page would hold a handful of them
-- (https://www.sqlite.org/withoutrowid.html#when_to_use_without_rowid). So a body is written
-- once, at the end, and a search reads only keys.
CREATE TABLE tick_blocks (
    id             INTEGER NOT NULL PRIMARY KEY,
    instrument     TEXT    NOT NULL, -- venue:symbol
    hour_ns        INTEGER NOT NULL,
    epoch          INTEGER NOT NULL,
    partition      INTEGER NOT NULL,
    first_offset   INTEGER NOT NULL,
    last_offset    INTEGER NOT NULL,
    rows           INTEGER NOT NULL,
    min_time_ns    INTEGER NOT NULL,
    max_time_ns    INTEGER NOT NULL,
    last_append_ns INTEGER NOT NULL,
    body           BLOB    NOT NULL
) STRICT;

CREATE UNIQUE INDEX tick_blocks_by_key
    ON tick_blocks (instrument, hour_ns, epoch, partition, first_offset, last_offset);

CREATE INDEX tick_blocks_by_append ON tick_blocks (last_append_ns);

CREATE TABLE positions (
    partition   INTEGER NOT NULL PRIMARY KEY,
    epoch       INTEGER NOT NULL,
    next_offset INTEGER NOT NULL
) STRICT;
