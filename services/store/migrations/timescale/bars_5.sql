-- Bars, and the state of the fold.
--
-- This is the first schema that this version reads. Databases of the schemas 1 to 4 are refused.
--
-- Epochs, offsets and counts are unsigned 64-bit numbers in BIGINT columns. Values of 2^63 or
-- more, which no counter reaches, would appear negative in SQL but are read back unchanged. Where
-- the database has to order numbers that venues choose, or that can have any value, the columns
-- are NUMERIC. Columns that end in _ns are UTC nanoseconds. Texts compare as bytes.

-- How far each partition of `trades` has been folded.
CREATE TABLE partition_progress (
    partition      INTEGER NOT NULL PRIMARY KEY,
    epoch          BIGINT  NOT NULL, -- the generation of `trades`
    next_offset    BIGINT  NOT NULL, -- the first offset that is not folded yet
    updates_epoch  BIGINT  NOT NULL, -- where in `bar-updates` an API continues reading
    updates_offset BIGINT  NOT NULL,
    append_time_ns BIGINT  NOT NULL  -- the greatest append time of the folded records
) WITH (fillfactor = 50);

-- Closed bars; a hypertable if the server has TimescaleDB. Open bars are in a table of their own:
-- almost every transaction rewrites them, and the open bars of an old tape would be in chunks that
-- are already compressed.
CREATE TABLE bars (
    venue           TEXT COLLATE "C" NOT NULL,
    symbol          TEXT COLLATE "C" NOT NULL,
    interval_s      INTEGER          NOT NULL, -- the length of the window, in seconds
    start           TIMESTAMPTZ      NOT NULL, -- the window is [start, start + interval_s)
    open            NUMERIC          NOT NULL,
    high            NUMERIC          NOT NULL,
    low             NUMERIC          NOT NULL,
    close           NUMERIC          NOT NULL,
    volume          NUMERIC          NOT NULL,
    buy_volume      NUMERIC          NOT NULL,
    sell_volume     NUMERIC          NOT NULL,
    notional        NUMERIC          NOT NULL,
    trades          BIGINT           NOT NULL, -- 0 if all trades were cancelled
    revision        BIGINT           NOT NULL, -- the number of trades applied after the close
    through_epoch   BIGINT           NOT NULL, -- the position of the last record that changed it
    through_offset  BIGINT           NOT NULL,
    open_time_ns    BIGINT           NOT NULL, -- the first trade: its time, id and position
    open_id         TEXT COLLATE "C",
    open_scope      TEXT COLLATE "C",
    open_epoch      BIGINT           NOT NULL,
    open_offset     BIGINT           NOT NULL,
    close_time_ns   BIGINT           NOT NULL, -- the last trade
    close_id        TEXT COLLATE "C",
    close_scope     TEXT COLLATE "C",
    close_epoch     BIGINT           NOT NULL,
    close_offset    BIGINT           NOT NULL,
    first_append_ns BIGINT           NOT NULL, -- the least append time of its trades
    admitted        BIGINT           NOT NULL, -- the number of trades, those cancelled included
    provable        BOOLEAN          NOT NULL, -- FALSE after a refold that was refused
    PRIMARY KEY (venue, symbol, interval_s, start)
);

CREATE INDEX bars_by_first_append ON bars (first_append_ns);

-- Half of each page is left free, so that an updated bar stays on its page and no index entry has
-- to change (https://www.postgresql.org/docs/current/storage-hot.html).
CREATE TABLE open_bars (
    partition INTEGER NOT NULL,
    LIKE bars INCLUDING ALL EXCLUDING INDEXES,
    PRIMARY KEY (venue, symbol, interval_s, start)
) WITH (fillfactor = 50);

CREATE INDEX open_bars_by_partition ON open_bars (partition);

-- Closed bars of commits that reached more chunks of `bars` than a transaction may lock. They stay
-- here until they are written again or expire. If a bar has a row in both tables, this one counts.
CREATE TABLE scattered_bars (
    LIKE bars INCLUDING ALL EXCLUDING INDEXES,
    PRIMARY KEY (venue, symbol, interval_s, start)
) WITH (fillfactor = 50);

CREATE INDEX scattered_bars_by_start ON scattered_bars (start);

-- The view for users of SQL: every bar that has trades. Give each query bounds of `start`: without
-- any it locks every chunk.
CREATE VIEW candles AS
    SELECT venue, symbol, interval_s, start, open, high, low, close, volume, buy_volume,
           sell_volume, notional, trades, TRUE AS closed, revision, through_epoch, through_offset
    FROM bars AS b WHERE trades <> 0 AND NOT EXISTS (
        SELECT 1 FROM scattered_bars AS a WHERE a.venue = b.venue AND a.symbol = b.symbol
        AND a.interval_s = b.interval_s AND a.start = b.start)
    UNION ALL
    SELECT venue, symbol, interval_s, start, open, high, low, close, volume, buy_volume,
           sell_volume, notional, trades, TRUE, revision, through_epoch, through_offset
    FROM scattered_bars WHERE trades <> 0
    UNION ALL
    SELECT venue, symbol, interval_s, start, open, high, low, close, volume, buy_volume,
           sell_volume, notional, trades, FALSE, revision, through_epoch, through_offset
    FROM open_bars WHERE trades <> 0;

-- For each event-time day, the least and the greatest `first_append_ns` of its closed bars. With
-- it, retention finds the days and chunks that hold expired bars without reading the bars.
CREATE TABLE bar_days (
    partition        INTEGER     NOT NULL,
    day              TIMESTAMPTZ NOT NULL,
    oldest_append_ns BIGINT      NOT NULL,
    newest_append_ns BIGINT      NOT NULL,
    PRIMARY KEY (partition, day)
) WITH (fillfactor = 50);

CREATE INDEX bar_days_by_day ON bar_days (day);

CREATE TABLE symbols (
    instrument      TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- venue:symbol
    partition       INTEGER          NOT NULL,
    watermark_ns    BIGINT           NOT NULL,
    last_append_ns  BIGINT           NOT NULL, -- the append time of its last trade
    closed_until_ns BIGINT           NOT NULL, -- windows that end at or before this are closed
    newest_minute_ns BIGINT          NOT NULL  -- the start of the newest minute that has traded
) WITH (fillfactor = 50);

CREATE INDEX symbols_by_partition ON symbols (partition);

-- The settings of each venue, as each partition knows them.
CREATE TABLE venues (
    partition          INTEGER          NOT NULL,
    venue              TEXT COLLATE "C" NOT NULL,
    scheme             TEXT             NOT NULL,
    scope              TEXT             NOT NULL,
    ties               TEXT             NOT NULL,
    lateness_ns        BIGINT           NOT NULL,
    idle_ns            BIGINT           NOT NULL,
    nonpositive_prices BOOLEAN          NOT NULL,
    old_times          BOOLEAN          NOT NULL,
    retired            BOOLEAN          NOT NULL,
    declared_epoch     BIGINT           NOT NULL, -- the position of the last change in partition 0
    declared_offset    BIGINT           NOT NULL,
    PRIMARY KEY (partition, venue)
);

-- Sets of ids: what an id is unique within.
CREATE TABLE id_sets (
    instrument     TEXT COLLATE "C" NOT NULL,
    scope          TEXT COLLATE "C" NOT NULL,
    bucket_ns      BIGINT           NOT NULL, -- start of the hour or day; -1 if there is none
    last_append_ns BIGINT           NOT NULL, -- the append time of the newest trade of the set
    -- Whether it is a set of the amendments' own ids, which are kept longer.
    is_of_amendments BOOLEAN NOT NULL GENERATED ALWAYS AS
        (scope = 'amendments (ids of edits and cancels themselves, not ids of the venue''s trades)')
        STORED,
    -- The hour of the last append. Most commits leave it as it is, so that they change no index.
    last_append_hour BIGINT NOT NULL GENERATED ALWAYS AS (last_append_ns / 3600000000000) STORED,
    PRIMARY KEY (instrument, scope, bucket_ns)
) WITH (fillfactor = 50);

-- Sets of no hour or day never expire.
CREATE INDEX id_sets_by_append ON id_sets (is_of_amendments, last_append_hour)
    WHERE bucket_ns <> -1;

-- The numbers of a set as inclusive ranges that neither overlap nor touch.
CREATE TABLE id_ranges (
    instrument TEXT COLLATE "C" NOT NULL,
    scope      TEXT COLLATE "C" NOT NULL,
    bucket_ns  BIGINT           NOT NULL,
    first      NUMERIC(20)      NOT NULL,
    last       NUMERIC(20)      NOT NULL,
    PRIMARY KEY (instrument, scope, bucket_ns, first)
) WITH (fillfactor = 50);

-- The other ids of a set, in segments, and each segment in chunks. A segment holds the ids from its
-- start to the start of the next. It has one row for each transaction that added ids to it, and one
-- for all ids after it was written whole.
CREATE TABLE id_chunks (
    instrument TEXT COLLATE "C" NOT NULL,
    scope      TEXT COLLATE "C" NOT NULL,
    bucket_ns  BIGINT           NOT NULL,
    segment    BYTEA            NOT NULL, -- its start: a number of 8 bytes, or a digest of 16
    chunk      BIGINT           NOT NULL,
    body       BYTEA            NOT NULL, -- ascending ids, as the differences between them
    PRIMARY KEY (instrument, scope, bucket_ns, segment, chunk)
);

-- The bodies are compressed already.
ALTER TABLE id_chunks ALTER COLUMN body SET STORAGE EXTERNAL;

-- One row: the secret key of the digests of ids that are no numbers.
CREATE TABLE id_digest_key (
    key BYTEA NOT NULL
);

INSERT INTO id_digest_key (key)
    SELECT decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');

-- Ticks other than edits and cancels that are no trades: the offsets [first_offset, end_offset) of a partition. Ranges never
-- overlap.
CREATE TABLE excluded_ranges (
    partition      INTEGER     NOT NULL,
    epoch          BIGINT      NOT NULL,
    first_offset   NUMERIC(20) NOT NULL,
    end_offset     NUMERIC(20) NOT NULL,
    verdict        TEXT        NOT NULL, -- why these ticks are no trades
    append_time_ns BIGINT      NOT NULL, -- the append time of the last of them
    PRIMARY KEY (partition, epoch, first_offset)
);

CREATE INDEX excluded_ranges_by_append ON excluded_ranges (append_time_ns);

-- Edits and cancels that change no trade, in ranges of the same form. They are kept longer.
CREATE TABLE excluded_amendments (
    partition      INTEGER     NOT NULL,
    epoch          BIGINT      NOT NULL,
    first_offset   NUMERIC(20) NOT NULL,
    end_offset     NUMERIC(20) NOT NULL,
    verdict        TEXT        NOT NULL, -- why these edits and cancels do not count
    append_time_ns BIGINT      NOT NULL, -- the append time of the last of them
    PRIMARY KEY (partition, epoch, first_offset)
);

CREATE INDEX excluded_amendments_by_append ON excluded_amendments (append_time_ns);

-- Where earlier generations of `trades` ended: the first offset of each partition that was not
-- folded when the next generation was registered. Ticks from there on are no trades.
CREATE TABLE epoch_ends (
    partition  INTEGER NOT NULL,
    epoch      BIGINT  NOT NULL,
    end_offset BIGINT  NOT NULL,
    PRIMARY KEY (partition, epoch)
);

-- Minutes that have to be folded again from the ticks before the position `up_to`.
CREATE TABLE dirty_minutes (
    partition    INTEGER          NOT NULL,
    instrument   TEXT COLLATE "C" NOT NULL,
    start_ns     BIGINT           NOT NULL,
    up_to_epoch  BIGINT           NOT NULL,
    up_to_offset BIGINT           NOT NULL,
    amendments   BIGINT           NOT NULL, -- the edits and cancels that `revision` will count
    force        BOOLEAN          NOT NULL, -- whether to refold even if ticks are missing
    later_bar    BYTEA, -- schemas::encode_bar: the bar of the trades at or after `up_to`
    PRIMARY KEY (partition, instrument, start_ns)
);

-- Trades whose edit or cancel arrived before they did.
CREATE TABLE pending_amendments (
    instrument     TEXT COLLATE "C" NOT NULL,
    scope          TEXT COLLATE "C" NOT NULL,
    bucket_ns      BIGINT           NOT NULL, -- start of the hour or day; -1 if there is none
    id             TEXT COLLATE "C" NOT NULL, -- the id of the trade
    partition      INTEGER          NOT NULL,
    append_time_ns BIGINT           NOT NULL, -- the append time of the edit or cancel
    PRIMARY KEY (instrument, scope, bucket_ns, id)
);

CREATE INDEX pending_amendments_by_append ON pending_amendments (append_time_ns);
CREATE INDEX pending_amendments_by_partition ON pending_amendments (partition);

-- The registered generations of topics, by the topic ids that the brokers assigned.
CREATE TABLE topics (
    topic      TEXT    NOT NULL,
    topic_id   TEXT    NOT NULL,
    epoch      BIGINT  NOT NULL,
    partitions INTEGER NOT NULL, -- how many it had when it was registered
    origin     TEXT, -- the Kafka cluster and the topic's full name; NULL if any may follow
    PRIMARY KEY (topic, topic_id),
    UNIQUE (topic, epoch)
);

-- One row, which counts the requests to write everything committed so far to disk. The update is
-- itself committed synchronously, and that is its purpose.
CREATE TABLE syncs (
    id    INTEGER NOT NULL PRIMARY KEY,
    count BIGINT  NOT NULL
);
