-- Bars, and the state of the fold.
--
-- This is the first schema that this version reads. Files of the schemas 1 to 4 are refused.
--
-- Unsigned 64-bit numbers (epochs, offsets, ids) are stored in offset binary, so that they sort:
-- the number is `column + 9223372036854775807 + 1`. Columns that end in _ns are UTC nanoseconds.

-- Facts about the file, such as the id of the log that it was folded from.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How far each partition of `trades` has been folded.
CREATE TABLE partition_progress (
    partition      INTEGER NOT NULL PRIMARY KEY,
    epoch          INTEGER NOT NULL, -- the generation of `trades`
    next_offset    INTEGER NOT NULL, -- the first offset that is not folded yet
    updates_epoch  INTEGER NOT NULL, -- where in `bar-updates` an API continues reading
    updates_offset INTEGER NOT NULL,
    append_time_ns INTEGER NOT NULL  -- the greatest append time of the folded records
) STRICT;

-- Open bars. Almost every transaction rewrites them, so they have a table of their own: seven
-- thousand of them fill a few hundred pages, but among the closed bars of a year each of them would
-- be on a page of its own.
CREATE TABLE open_bars (
    instrument      TEXT    NOT NULL, -- venue:symbol
    interval        INTEGER NOT NULL, -- in seconds
    start_ns        INTEGER NOT NULL,
    partition       INTEGER NOT NULL,
    first_append_ns INTEGER NOT NULL, -- the least append time of its trades
    body            BLOB    NOT NULL, -- schemas::encode_bar_row
    PRIMARY KEY (instrument, interval, start_ns)
) STRICT, WITHOUT ROWID;

-- Closed bars.
CREATE TABLE bars (
    instrument      TEXT    NOT NULL,
    interval        INTEGER NOT NULL,
    start_ns        INTEGER NOT NULL,
    first_append_ns INTEGER NOT NULL,
    body            BLOB    NOT NULL,
    PRIMARY KEY (instrument, interval, start_ns)
) STRICT, WITHOUT ROWID;

CREATE INDEX bars_by_first_append ON bars (first_append_ns);

-- Each bar is in exactly one of the two tables. A trigger does not fire if the row replaces another
-- of the same table: then the other table does not hold the bar.
CREATE TRIGGER bar_closes AFTER INSERT ON bars BEGIN
    DELETE FROM open_bars
    WHERE instrument = new.instrument AND interval = new.interval AND start_ns = new.start_ns;
END;

CREATE TRIGGER bar_opens AFTER INSERT ON open_bars BEGIN
    DELETE FROM bars
    WHERE instrument = new.instrument AND interval = new.interval AND start_ns = new.start_ns;
END;

CREATE TABLE symbols (
    instrument      TEXT    NOT NULL PRIMARY KEY, -- venue:symbol
    partition       INTEGER NOT NULL,
    watermark_ns    INTEGER NOT NULL,
    last_append_ns  INTEGER NOT NULL, -- the append time of its last trade
    closed_until_ns INTEGER NOT NULL, -- windows that end at or before this are closed
    newest_minute_ns INTEGER NOT NULL -- the start of the newest minute that has traded
) STRICT, WITHOUT ROWID;

-- The settings of each venue, as each partition knows them.
CREATE TABLE venues (
    partition          INTEGER NOT NULL,
    venue              TEXT    NOT NULL,
    scheme             TEXT    NOT NULL,
    scope              TEXT    NOT NULL,
    ties               TEXT    NOT NULL,
    lateness_ns        INTEGER NOT NULL,
    idle_ns            INTEGER NOT NULL,
    nonpositive_prices INTEGER NOT NULL,
    old_times          INTEGER NOT NULL,
    retired            INTEGER NOT NULL,
    declared_epoch     INTEGER NOT NULL, -- the position of the last change in partition 0
    declared_offset    INTEGER NOT NULL,
    PRIMARY KEY (partition, venue)
) STRICT, WITHOUT ROWID;

-- Sets of ids: what an id is unique within.
CREATE TABLE id_sets (
    instrument     TEXT    NOT NULL,
    scope          TEXT    NOT NULL,
    bucket_ns      INTEGER NOT NULL, -- start of the hour or day; -1 if there is none
    last_append_ns INTEGER NOT NULL, -- the append time of the newest trade of the set
    -- Whether it is a set of the amendments' own ids, which are kept longer.
    is_of_amendments INTEGER NOT NULL GENERATED ALWAYS AS
        (scope = 'amendments (ids of edits and cancels themselves, not ids of the venue''s trades)'),
    -- The hour of the last append. The index changes only once an hour for each set.
    last_append_hour INTEGER NOT NULL GENERATED ALWAYS AS (last_append_ns / 3600000000000),
    PRIMARY KEY (instrument, scope, bucket_ns)
) STRICT, WITHOUT ROWID;

-- Sets of no hour or day never expire.
CREATE INDEX id_sets_by_append ON id_sets (is_of_amendments, last_append_hour)
    WHERE bucket_ns <> -1;

-- The numbers of a set as inclusive ranges that neither overlap nor touch.
CREATE TABLE id_ranges (
    instrument TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    bucket_ns  INTEGER NOT NULL,
    first      INTEGER NOT NULL,
    last       INTEGER NOT NULL,
    PRIMARY KEY (instrument, scope, bucket_ns, first)
) STRICT, WITHOUT ROWID;

-- The other ids of a set, in segments, and each segment in chunks. A segment holds the ids from its
-- start to the start of the next. It has one row for each transaction that added ids to it, and one
-- for all ids after it was written whole.
CREATE TABLE id_chunks (
    instrument TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    bucket_ns  INTEGER NOT NULL,
    segment    BLOB    NOT NULL, -- its start: a number of 8 bytes, or a digest of 16
    chunk      INTEGER NOT NULL,
    body       BLOB    NOT NULL, -- ascending ids, as the differences between them
    PRIMARY KEY (instrument, scope, bucket_ns, segment, chunk)
) STRICT, WITHOUT ROWID;

-- One row: the secret key of the digests of ids that are no numbers.
CREATE TABLE id_digest_key (
    key BLOB NOT NULL
) STRICT;

INSERT INTO id_digest_key (key) VALUES (randomblob(32));

-- Ticks other than edits and cancels that are no trades: the offsets [first_offset, end_offset) of a partition. Ranges never
-- overlap.
CREATE TABLE excluded_ranges (
    partition      INTEGER NOT NULL,
    epoch          INTEGER NOT NULL,
    first_offset   INTEGER NOT NULL,
    end_offset     INTEGER NOT NULL,
    verdict        TEXT    NOT NULL, -- why these ticks are no trades
    append_time_ns INTEGER NOT NULL, -- the append time of the last of them
    PRIMARY KEY (partition, epoch, first_offset)
) STRICT, WITHOUT ROWID;

CREATE INDEX excluded_ranges_by_append ON excluded_ranges (append_time_ns);

-- Edits and cancels that change no trade, in ranges of the same form. They are kept longer.
CREATE TABLE excluded_amendments (
    partition      INTEGER NOT NULL,
    epoch          INTEGER NOT NULL,
    first_offset   INTEGER NOT NULL,
    end_offset     INTEGER NOT NULL,
    verdict        TEXT    NOT NULL, -- why these edits and cancels do not count
    append_time_ns INTEGER NOT NULL, -- the append time of the last of them
    PRIMARY KEY (partition, epoch, first_offset)
) STRICT, WITHOUT ROWID;

CREATE INDEX excluded_amendments_by_append ON excluded_amendments (append_time_ns);

-- Where earlier generations of `trades` ended: the first offset of each partition that was not
-- folded when the next generation was registered. Ticks from there on are no trades.
CREATE TABLE epoch_ends (
    partition  INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    end_offset INTEGER NOT NULL,
    PRIMARY KEY (partition, epoch)
) STRICT, WITHOUT ROWID;

-- Minutes that have to be folded again from the ticks before the position `up_to`.
CREATE TABLE dirty_minutes (
    partition    INTEGER NOT NULL,
    instrument   TEXT    NOT NULL,
    start_ns     INTEGER NOT NULL,
    up_to_epoch  INTEGER NOT NULL,
    up_to_offset INTEGER NOT NULL,
    amendments   INTEGER NOT NULL, -- the edits and cancels that `revision` will count
    force        INTEGER NOT NULL, -- whether to refold even if ticks are missing
    later_bar    BLOB, -- schemas::encode_bar: the bar of the trades at or after `up_to`
    PRIMARY KEY (partition, instrument, start_ns)
) STRICT, WITHOUT ROWID;

-- Trades whose edit or cancel arrived before they did.
CREATE TABLE pending_amendments (
    instrument     TEXT    NOT NULL,
    scope          TEXT    NOT NULL,
    bucket_ns      INTEGER NOT NULL, -- start of the hour or day; -1 if there is none
    id             TEXT    NOT NULL, -- the id of the trade
    partition      INTEGER NOT NULL,
    append_time_ns INTEGER NOT NULL, -- the append time of the edit or cancel
    PRIMARY KEY (instrument, scope, bucket_ns, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX pending_amendments_by_append ON pending_amendments (append_time_ns);

-- The registered generations of topics, by the topic ids that the brokers assigned.
CREATE TABLE topics (
    topic      TEXT    NOT NULL,
    topic_id   TEXT    NOT NULL,
    epoch      INTEGER NOT NULL,
    partitions INTEGER NOT NULL, -- how many it had when it was registered
    origin     TEXT, -- the Kafka cluster and the topic's full name; NULL if any may follow
    PRIMARY KEY (topic, topic_id)
) STRICT, WITHOUT ROWID;
