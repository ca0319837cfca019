-- Bars, and the state of the fold.
--
-- 64-bit unsigned numbers (epochs, offsets, ids) are kept in offset binary, so that they sort:
-- the number is `column + 9223372036854775807 + 1`. Times are UTC nanoseconds.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE progress (
    partition      INTEGER NOT NULL PRIMARY KEY,
    epoch          INTEGER NOT NULL,
    next_offset    INTEGER NOT NULL,
    updates_epoch  INTEGER NOT NULL,
    updates_offset INTEGER NOT NULL,
    append_time_ns INTEGER NOT NULL
) STRICT;

-- A bar is in one of two tables. An open one is written anew by nearly every transaction, so
-- the open ones lie together: seven thousand of them are a few hundred pages, where among the
-- bars of a year each would be on a page of its own.
CREATE TABLE open_bars (
    instrument      TEXT    NOT NULL, -- venue:symbol
    interval        INTEGER NOT NULL, -- in seconds
    start_ns        INTEGER NOT NULL,
    partition       INTEGER NOT NULL,
    first_append_ns INTEGER NOT NULL,
    body            BLOB    NOT NULL, -- schemas::encode_bar_row
    PRIMARY KEY (instrument, interval, start_ns)
) STRICT, WITHOUT ROWID;

CREATE TABLE bars (
    instrument      TEXT    NOT NULL,
    interval        INTEGER NOT NULL,
    start_ns        INTEGER NOT NULL,
    first_append_ns INTEGER NOT NULL,
    body            BLOB    NOT NULL,
    PRIMARY KEY (instrument, interval, start_ns)
) STRICT, WITHOUT ROWID;

CREATE INDEX bars_by_first_append ON bars (first_append_ns);

-- Neither fires where the row is written over: then it was in that table already.
CREATE TRIGGER bar_closes AFTER INSERT ON bars BEGIN
    DELETE FROM open_bars
    WHERE instrument = new.instrument AND interval = new.interval AND start_ns = new.start_ns;
END;

CREATE TRIGGER bar_opens AFTER INSERT ON open_bars BEGIN
    DELETE FROM bars
    WHERE instrument = new.instrument AND interval = new.interval AND start_ns = new.start_ns;
END;

CREATE TABLE symbols (
    instrument      TEXT    NOT NULL PRIMARY KEY,
    partition       INTEGER NOT NULL,
    watermark_ns    INTEGER NOT NULL,
    last_append_ns  INTEGER NOT NULL,
    closed_until_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE venues (
    partition          INTEGER NOT NULL,
    venue              TEXT    NOT NULL,
    scheme             TEXT    NOT NULL,
    scope              TEXT    NOT NULL,
    lateness_ns        INTEGER NOT NULL,
    idle_ns            INTEGER NOT NULL,
    nonpositive_prices INTEGER NOT NULL,
    PRIMARY KEY (partition, venue)
) STRICT, WITHOUT ROWID;

CREATE TABLE id_sets (
    instrument     TEXT    NOT NULL,
    scope          TEXT    NOT NULL,
    bucket_ns      INTEGER NOT NULL, -- -1: no hour or day
    last_append_ns INTEGER NOT NULL,
    PRIMARY KEY (instrument, scope, bucket_ns)
) STRICT, WITHOUT ROWID;

CREATE TABLE id_ranges (
    instrument TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    bucket_ns  INTEGER NOT NULL,
    first      INTEGER NOT NULL,
    last       INTEGER NOT NULL,
    PRIMARY KEY (instrument, scope, bucket_ns, first)
) STRICT, WITHOUT ROWID;

-- The ids that one transaction added to a set.
CREATE TABLE id_chunks (
    instrument TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    bucket_ns  INTEGER NOT NULL,
    chunk      INTEGER NOT NULL,
    body       BLOB    NOT NULL,
    PRIMARY KEY (instrument, scope, bucket_ns, chunk)
) STRICT, WITHOUT ROWID;

-- Ticks that are no trades: offsets [first, past) of a partition, which never overlap.
CREATE TABLE rejected (
    partition      INTEGER NOT NULL,
    epoch          INTEGER NOT NULL,
    first          INTEGER NOT NULL,
    past           INTEGER NOT NULL,
    verdict        TEXT    NOT NULL,
    append_time_ns INTEGER NOT NULL,
    PRIMARY KEY (partition, epoch, first)
) STRICT, WITHOUT ROWID;

CREATE INDEX rejected_by_append ON rejected (append_time_ns);
