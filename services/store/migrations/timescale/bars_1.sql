-- Bars, and the state of the fold.
--
-- Epochs, offsets and counts are unsigned numbers of 64 bits in BIGINT: one of 2^63 or more,
-- which nothing reaches by counting, would read as negative and come back as it was. Where the
-- database has to order numbers that venues choose, or that may be any, they are NUMERIC.
-- Columns that end in _ns are UTC nanoseconds. Texts compare as bytes.

CREATE TABLE progress (
    partition      INTEGER NOT NULL PRIMARY KEY,
    epoch          BIGINT  NOT NULL,
    next_offset    BIGINT  NOT NULL,
    updates_epoch  BIGINT  NOT NULL,
    updates_offset BIGINT  NOT NULL,
    append_time_ns BIGINT  NOT NULL
) WITH (fillfactor = 50);

-- Closed bars; a hypertable where TimescaleDB is there. Open ones are in a table of their own:
-- they are written anew by nearly every transaction, and an old tape's would be in chunks that
-- are compressed already.
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
    trades          BIGINT           NOT NULL, -- 0 where all were cancelled
    revision        BIGINT           NOT NULL, -- trades applied after the close
    through_epoch   BIGINT           NOT NULL, -- the last record of the log that changed it
    through_offset  BIGINT           NOT NULL,
    open_time_ns    BIGINT           NOT NULL, -- the first trade: when, its id, where in the log
    open_id         TEXT COLLATE "C",
    open_scope      TEXT COLLATE "C",
    open_epoch      BIGINT           NOT NULL,
    open_offset     BIGINT           NOT NULL,
    close_time_ns   BIGINT           NOT NULL, -- the last trade
    close_id        TEXT COLLATE "C",
    close_scope     TEXT COLLATE "C",
    close_epoch     BIGINT           NOT NULL,
    close_offset    BIGINT           NOT NULL,
    first_append_ns BIGINT           NOT NULL, -- when the log took the earliest of its trades
    PRIMARY KEY (venue, symbol, interval_s, start)
);

CREATE INDEX bars_by_first_append ON bars (first_append_ns);

-- Half of each page is left free, so that a bar that is written anew stays on its page and no
-- index has to know (https://www.postgresql.org/docs/current/storage-hot.html).
CREATE TABLE open_bars (
    partition INTEGER NOT NULL,
    LIKE bars INCLUDING ALL EXCLUDING INDEXES,
    PRIMARY KEY (venue, symbol, interval_s, start)
) WITH (fillfactor = 50);

CREATE INDEX open_bars_by_partition ON open_bars (partition);

-- What is to be read with SQL: every bar that has trades.
CREATE VIEW candles AS
    SELECT venue, symbol, interval_s, start, open, high, low, close, volume, buy_volume,
           sell_volume, notional, trades, TRUE AS closed, revision, through_epoch, through_offset
    FROM bars WHERE trades <> 0
    UNION ALL
    SELECT venue, symbol, interval_s, start, open, high, low, close, volume, buy_volume,
           sell_volume, notional, trades, FALSE, revision, through_epoch, through_offset
    FROM open_bars WHERE trades <> 0;

-- Between which times the log took the first trades of the bars of an event-time day. It says
-- which days and chunks hold bars that are too old, without reading them.
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
    last_append_ns  BIGINT           NOT NULL,
    closed_until_ns BIGINT           NOT NULL
) WITH (fillfactor = 50);

CREATE INDEX symbols_by_partition ON symbols (partition);

CREATE TABLE venues (
    partition          INTEGER          NOT NULL,
    venue              TEXT COLLATE "C" NOT NULL,
    scheme             TEXT             NOT NULL,
    scope              TEXT             NOT NULL,
    lateness_ns        BIGINT           NOT NULL,
    idle_ns            BIGINT           NOT NULL,
    nonpositive_prices BOOLEAN          NOT NULL,
    PRIMARY KEY (partition, venue)
);

CREATE TABLE id_sets (
    instrument     TEXT COLLATE "C" NOT NULL,
    scope          TEXT COLLATE "C" NOT NULL,
    bucket_ns      BIGINT           NOT NULL, -- -1: no hour or day
    last_append_ns BIGINT           NOT NULL,
    PRIMARY KEY (instrument, scope, bucket_ns)
) WITH (fillfactor = 50);

CREATE TABLE id_ranges (
    instrument TEXT COLLATE "C" NOT NULL,
    scope      TEXT COLLATE "C" NOT NULL,
    bucket_ns  BIGINT           NOT NULL,
    first      NUMERIC(20)      NOT NULL,
    last       NUMERIC(20)      NOT NULL,
    PRIMARY KEY (instrument, scope, bucket_ns, first)
) WITH (fillfactor = 50);

-- The ids that one transaction added to a set.
CREATE TABLE id_chunks (
    instrument TEXT COLLATE "C" NOT NULL,
    scope      TEXT COLLATE "C" NOT NULL,
    bucket_ns  BIGINT           NOT NULL,
    chunk      BIGINT           NOT NULL,
    body       BYTEA            NOT NULL,
    PRIMARY KEY (instrument, scope, bucket_ns, chunk)
);

-- Ticks that are no trades: offsets [first, past) of a partition, which never overlap.
CREATE TABLE rejected (
    partition      INTEGER     NOT NULL,
    epoch          BIGINT      NOT NULL,
    first          NUMERIC(20) NOT NULL,
    past           NUMERIC(20) NOT NULL,
    verdict        TEXT        NOT NULL,
    append_time_ns BIGINT      NOT NULL,
    PRIMARY KEY (partition, epoch, first)
);

CREATE INDEX rejected_by_append ON rejected (append_time_ns);

-- Minutes that are to be folded anew from the ticks before `up_to`.
CREATE TABLE dirty (
    partition    INTEGER          NOT NULL,
    instrument   TEXT COLLATE "C" NOT NULL,
    start_ns     BIGINT           NOT NULL,
    up_to_epoch  BIGINT           NOT NULL,
    up_to_offset BIGINT           NOT NULL,
    amendments   BIGINT           NOT NULL,
    later        BYTEA, -- schemas::encode_bar: the trades that came since
    PRIMARY KEY (partition, instrument, start_ns)
);

-- Trades that were edited or cancelled before they came.
CREATE TABLE ahead (
    instrument     TEXT COLLATE "C" NOT NULL,
    scope          TEXT COLLATE "C" NOT NULL,
    bucket_ns      BIGINT           NOT NULL, -- -1: no hour or day
    id             TEXT COLLATE "C" NOT NULL,
    partition      INTEGER          NOT NULL,
    append_time_ns BIGINT           NOT NULL,
    PRIMARY KEY (instrument, scope, bucket_ns, id)
);

CREATE INDEX ahead_by_append ON ahead (append_time_ns);
CREATE INDEX ahead_by_partition ON ahead (partition);

-- The generations of topics that were adopted, by the ids that their servers gave them.
CREATE TABLE topics (
    topic    TEXT   NOT NULL,
    topic_id TEXT   NOT NULL,
    epoch    BIGINT NOT NULL,
    PRIMARY KEY (topic, topic_id),
    UNIQUE (topic, epoch)
);

-- How often it was asked for that all before be on the disk.
CREATE TABLE syncs (
    place INTEGER NOT NULL PRIMARY KEY,
    count BIGINT  NOT NULL
);
