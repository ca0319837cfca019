-- A second opinion in SQL on what the ticks come to. The bars that are served are folded
-- elsewhere; these are for people with questions, and for `verify`.
--
-- What the views cannot know, because it is kept with the bars and not here:
--
-- 1. What the fold left out: trades beyond the horizon, or against their venue's settings.
--    Here they count.
-- 2. How far the fold has come. Here every tick that is archived counts.
-- 3. How a venue numbers its trades. Here an id is unique within the instrument, the scope that
--    the trade names, and the event-time hour. That is what a venue of exact ids declares. They
--    differ where contiguous ids are delivered again with an event time of another hour (here
--    both count), where ids are declared `none` and trades name some, and where a trade names a
--    scope that its venue does not use.
-- 4. Whether the first delivery was one that the fold left out, and a later one counts.
--
-- Where none of these is the case, they hold the same trades and the same values, exactly.

-- The trades: each once, the first delivery, with the values of its latest edit, without those
-- that were cancelled.
--
-- An amendment names its trade by what that is known by and its event time, or by its place and
-- event time. A cancel is final; of several edits, by either name, the last one counts.
CREATE OR REPLACE VIEW trades_current AS
WITH
    ticks AS (
        SELECT
            venue, symbol, hour_ns, time_ns, partition, (epoch, offset) AS at, append_time_ns,
            kind, price, quantity, side, id_kind, id_number, id_text, id, scope,
            place_epoch, place_offset,
            -- What it is known by; a trade without an id by what its sender says, or by its
            -- place alone.
            multiIf(
                id_kind != 'none', ('id', ifNull(scope, ''), id),
                sender_key IS NOT NULL,
                    ('sender', hex(assumeNotNull(sender_key)), toString(sender_index)),
                ('place', toString(epoch), toString(offset))
            ) AS identity
        FROM trades FINAL
        SETTINGS do_not_merge_across_partitions_select_final = 1
    ),
    firsts AS (
        SELECT
            venue, symbol, hour_ns, identity, min(at) AS first,
            argMin((time_ns, append_time_ns, partition, price, quantity, side), at) AS told,
            argMin((id_kind, id_number, id_text, id, scope), at) AS named
        FROM ticks
        WHERE kind = 'trade'
        GROUP BY venue, symbol, hour_ns, identity
    ),
    amendments AS (
        SELECT
            venue, symbol, hour_ns, time_ns, target,
            countIf(kind = 'cancel') > 0 AS cancelled,
            maxIf(at, kind = 'edit') AS edited_at,
            countIf(kind = 'edit') > 0 AS edited,
            argMaxIf((price, quantity, side), at, kind = 'edit') AS edit
        FROM (
            SELECT
                *,
                if(place_epoch IS NULL, identity,
                    ('at', toString(place_epoch), toString(place_offset))) AS target
            FROM ticks
            WHERE kind != 'trade'
        )
        GROUP BY venue, symbol, hour_ns, time_ns, target
    ),
    joined AS (
        SELECT
            firsts.venue AS venue, firsts.symbol AS symbol, firsts.hour_ns AS hour_ns,
            first, told, named,
            by_name.cancelled OR by_place.cancelled AS gone,
            by_name.edited AS named_edit, by_place.edited AS place_edit,
            by_name.edited_at > by_place.edited_at AS name_is_later,
            multiIf(
                named_edit AND (name_is_later OR NOT place_edit), by_name.edit,
                place_edit, by_place.edit,
                (told.4, told.5, told.6)
            ) AS now
        FROM firsts
        LEFT JOIN amendments AS by_name
            ON by_name.venue = firsts.venue AND by_name.symbol = firsts.symbol
            AND by_name.hour_ns = firsts.hour_ns AND by_name.time_ns = firsts.told.1
            AND by_name.target = firsts.identity
        LEFT JOIN amendments AS by_place
            ON by_place.venue = firsts.venue AND by_place.symbol = firsts.symbol
            AND by_place.hour_ns = firsts.hour_ns AND by_place.time_ns = firsts.told.1
            AND by_place.target = ('at', toString(firsts.first.1), toString(firsts.first.2))
    )
SELECT
    venue, symbol, hour_ns, told.1 AS time_ns, first.1 AS epoch, first.2 AS offset,
    told.3 AS partition, told.2 AS append_time_ns,
    now.1 AS price, now.2 AS quantity, now.3 AS side,
    named.1 AS id_kind, named.2 AS id_number, named.3 AS id_text, named.4 AS id, named.5 AS scope,
    (named_edit OR place_edit) AS edited
FROM joined
WHERE NOT gone
SETTINGS join_use_nulls = 0;

-- Bars of a minute over them. A minute without trades has no row. Ask for `venue`, `symbol` and
-- `hour_ns`, which find their rows by the key; `start_ns` alone reads all of them.
--
-- Open is the trade with the least, close the one with the greatest (event time, id, scope,
-- place); trades without an id come after those with one, numbers before longer digits before
-- texts. Sums are in 256 bits, which overflow past 10^40 of notional; those that are served
-- have 320.
CREATE OR REPLACE VIEW bars_1m AS
SELECT
    venue, symbol, hour_ns,
    time_ns - positiveModulo(time_ns, 60000000000) AS start_ns,
    argMin(price, place_in_time) AS open,
    max(price) AS high,
    min(price) AS low,
    argMax(price, place_in_time) AS close,
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
        ) AS place_in_time
    FROM trades_current
)
GROUP BY venue, symbol, hour_ns, start_ns;
