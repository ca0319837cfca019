-- Views that compute trades and bars from the ticks in SQL. The API serves bars that are folded
-- elsewhere, and `verify` reads the tables. These views are for questions asked by hand.
--
-- Some facts are stored with the bars and not here, so the views differ from the served bars in
-- these cases:
--
-- 1. Trades that the fold excluded, because they were beyond the horizon or against the settings
--    of their venue. The views count them.
-- 2. Ticks that are archived but not folded yet. The views count every archived tick.
-- 3. How the venue numbers its trades. In the views an id is unique within the instrument, the
--    scope that the trade names, and the event-time hour, as for a venue with the id scheme
--    `unique`. The results differ if contiguous ids are delivered again with an event time in
--    another hour (the views count both), if ids are declared `none` but trades carry ids, and if
--    a trade names a scope that its venue does not use.
-- 4. Trades whose first delivery was excluded by the fold, while a later delivery counts.
-- 5. Trades of equal event time. The views order them by id, as a venue does whose setting `ties`
--    is `id`. With `log`, open and close may differ.
-- 6. Trades beyond the recorded end of an epoch, and records that the bar store refused
--    (`unstorable`). The views count them.
-- 7. Edits and cancels that came more than six days before their trade. The views apply them.
--
-- In all other cases the views hold exactly the same trades and the same values.

-- The current trades: each trade once, from its first delivery, with the values of its latest
-- edit, and without the trades that were cancelled.
--
-- An amendment names its trade by the identity of the trade and its event time, or by the position
-- of the trade and its event time. A cancel is final; of several edits, however they name the
-- trade, the last one counts.
CREATE OR REPLACE VIEW trades_current AS
WITH
    all_ticks AS (
        SELECT *, id FROM trades FINAL
        UNION ALL
        SELECT *, id FROM amendments FINAL
    ),
    ticks AS (
        SELECT
            venue, symbol, hour_ns, time_ns, partition, (epoch, offset) AS position,
            append_time_ns, kind, price, quantity, side, id_kind, id_number, id_text, id, scope,
            target_epoch, target_offset,
            -- The identity of a trade is its id; without an id, the sender's key and index;
            -- without both, the position.
            multiIf(
                id_kind != 'none', ('id', ifNull(scope, ''), id),
                sender_key IS NOT NULL,
                    ('sender', hex(assumeNotNull(sender_key)), toString(sender_index)),
                ('position', toString(epoch), toString(offset))
            ) AS identity
        FROM all_ticks
        SETTINGS do_not_merge_across_partitions_select_final = 1
    ),
    first_deliveries AS (
        SELECT
            venue, symbol, hour_ns, identity, min(position) AS first_position,
            argMin(
                (time_ns, append_time_ns, partition, price, quantity, side), position
            ) AS original,
            argMin((id_kind, id_number, id_text, id, scope), position) AS id_columns
        FROM ticks
        WHERE kind = 'trade'
        GROUP BY venue, symbol, hour_ns, identity
    ),
    amendments AS (
        SELECT
            venue, symbol, hour_ns, time_ns, target,
            countIf(kind = 'cancel') > 0 AS is_cancelled,
            maxIf(position, kind = 'edit') AS edit_position,
            countIf(kind = 'edit') > 0 AS is_edited,
            argMaxIf((price, quantity, side), position, kind = 'edit') AS edit
        FROM (
            SELECT
                *,
                if(target_epoch IS NULL, identity,
                    ('target', toString(target_epoch), toString(target_offset))) AS target
            FROM ticks
            WHERE kind != 'trade'
        )
        GROUP BY venue, symbol, hour_ns, time_ns, target
    ),
    joined AS (
        SELECT
            trade.venue AS venue, trade.symbol AS symbol, trade.hour_ns AS hour_ns,
            first_position, original, id_columns,
            by_identity.is_cancelled OR by_position.is_cancelled AS cancelled,
            by_identity.is_edited AS edited_by_identity,
            by_position.is_edited AS edited_by_position,
            by_identity.edit_position > by_position.edit_position AS identity_edit_is_later,
            multiIf(
                edited_by_identity AND (identity_edit_is_later OR NOT edited_by_position),
                    by_identity.edit,
                edited_by_position, by_position.edit,
                (original.4, original.5, original.6)
            ) AS current_values
        FROM first_deliveries AS trade
        LEFT JOIN amendments AS by_identity
            ON by_identity.venue = trade.venue AND by_identity.symbol = trade.symbol
            AND by_identity.hour_ns = trade.hour_ns
            AND by_identity.time_ns = trade.original.1
            AND by_identity.target = trade.identity
        LEFT JOIN amendments AS by_position
            ON by_position.venue = trade.venue AND by_position.symbol = trade.symbol
            AND by_position.hour_ns = trade.hour_ns
            AND by_position.time_ns = trade.original.1
            AND by_position.target =
                ('target', toString(trade.first_position.1), toString(trade.first_position.2))
    )
SELECT
    venue, symbol, hour_ns, original.1 AS time_ns,
    first_position.1 AS epoch, first_position.2 AS offset,
    original.3 AS partition, original.2 AS append_time_ns,
    current_values.1 AS price, current_values.2 AS quantity, current_values.3 AS side,
    id_columns.1 AS id_kind, id_columns.2 AS id_number, id_columns.3 AS id_text,
    id_columns.4 AS id, id_columns.5 AS scope,
    (edited_by_identity OR edited_by_position) AS edited
FROM joined
WHERE NOT cancelled
SETTINGS join_use_nulls = 0;

-- One-minute bars of the current trades. A minute without trades has no row. Filter by `venue`,
-- `symbol` and `hour_ns`, which use the sorting key; a filter by `start_ns` alone reads all rows.
--
-- Open is the price of the trade with the least, close of the one with the greatest (event time,
-- id, scope, position). Trades without an id come after those with one; numbers come before longer
-- digits, and those before texts. Sums have 256 bits, which overflow beyond 10^40 of notional; the
-- sums of the served bars have 320 bits.
CREATE OR REPLACE VIEW bars_1m AS
SELECT
    venue, symbol, hour_ns,
    time_ns - positiveModulo(time_ns, 60000000000) AS start_ns,
    argMin(price, trade_order) AS open,
    max(price) AS high,
    min(price) AS low,
    argMax(price, trade_order) AS close,
    sum(size) AS volume,
    sumIf(size, side = 'buy') AS buy_volume,
    sumIf(size, side = 'sell') AS sell_volume,
    sum(toDecimal256(price, 18) * size) AS notional,
    count() AS trades
FROM (
    SELECT
        venue, symbol, hour_ns, time_ns, price, side,
        ifNull(toDecimal256(quantity, 18), toDecimal256(0, 18)) AS size,
        (
            time_ns,
            multiIf(id_kind = 'none', 3, id_kind = 'text', 2, id_kind = 'digits', 1, 0),
            id_number,
            if(id_kind = 'digits', length(id_text), 0),
            id_text, ifNull(scope, ''), scope IS NOT NULL, epoch, offset
        ) AS trade_order
    FROM trades_current
)
GROUP BY venue, symbol, hour_ns, start_ns;
