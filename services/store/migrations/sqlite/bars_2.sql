-- Edits, cancels and repairs, and the generations of topics.

-- Minutes that are to be folded anew from the ticks before `up_to`.
CREATE TABLE dirty (
    partition     INTEGER NOT NULL,
    instrument    TEXT    NOT NULL,
    start_ns      INTEGER NOT NULL,
    up_to_epoch   INTEGER NOT NULL,
    up_to_offset  INTEGER NOT NULL,
    amendments    INTEGER NOT NULL,
    later         BLOB, -- schemas::encode_bar: the trades that came since
    PRIMARY KEY (partition, instrument, start_ns)
) STRICT, WITHOUT ROWID;

-- Trades that were edited or cancelled before they came.
CREATE TABLE ahead (
    instrument     TEXT    NOT NULL,
    scope          TEXT    NOT NULL,
    bucket_ns      INTEGER NOT NULL, -- -1: no hour or day
    id             TEXT    NOT NULL,
    partition      INTEGER NOT NULL,
    append_time_ns INTEGER NOT NULL,
    PRIMARY KEY (instrument, scope, bucket_ns, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX ahead_by_append ON ahead (append_time_ns);

-- The generations of topics that were adopted, by the ids that their servers gave them.
CREATE TABLE topics (
    topic    TEXT    NOT NULL,
    topic_id TEXT    NOT NULL,
    epoch    INTEGER NOT NULL,
    PRIMARY KEY (topic, topic_id)
) STRICT, WITHOUT ROWID;
