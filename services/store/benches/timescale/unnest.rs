//! Writes bars with every column as an array. Numbers are sent as texts, which PostgreSQL reads
//! about as fast as its binary form.

use candlewick_store::StoredBar;
use market::EdgeTrade;
use sqlx::{AssertSqlSafe, PgConnection, query};

const COLUMNS: [(&str, &str); 29] = [
    ("venue", "text"),
    ("symbol", "text"),
    ("interval_s", "int"),
    ("start", "bigint"),
    ("open", "text"),
    ("high", "text"),
    ("low", "text"),
    ("close", "text"),
    ("volume", "text"),
    ("buy_volume", "text"),
    ("sell_volume", "text"),
    ("notional", "text"),
    ("trades", "bigint"),
    ("revision", "bigint"),
    ("through_epoch", "bigint"),
    ("through_offset", "bigint"),
    ("open_time_ns", "bigint"),
    ("open_id", "text"),
    ("open_scope", "text"),
    ("open_epoch", "bigint"),
    ("open_offset", "bigint"),
    ("close_time_ns", "bigint"),
    ("close_id", "text"),
    ("close_scope", "text"),
    ("close_epoch", "bigint"),
    ("close_offset", "bigint"),
    ("first_append_ns", "bigint"),
    ("admitted", "bigint"),
    ("provable", "boolean"),
];

/// The indexes of the columns that are NUMERIC.
const NUMERIC: std::ops::Range<usize> = 4..12;

/// Writes bars in one transaction. All must be open, or all closed.
pub(crate) async fn write_bars(session: &mut PgConnection, bars: &[StoredBar]) {
    let closed = bars[0].row.closed;
    let sql = upsert_statement(closed);
    query("BEGIN").execute(&mut *session).await.unwrap();
    query("UPDATE partition_progress SET next_offset = next_offset WHERE partition = $1")
        .bind(0)
        .execute(&mut *session)
        .await
        .unwrap();
    run_key_statement(session, bars, closed).await;
    let bound = query(AssertSqlSafe(sql))
        .bind(texts(bars, |bar| bar.instrument.venue().to_owned()))
        .bind(texts(bars, |bar| bar.instrument.symbol().to_owned()))
        .bind(column(bars, seconds))
        .bind(column(bars, |bar| bar.row.window.start_ns / 1_000_000_000))
        .bind(texts(bars, |bar| bar.row.bar.open.price.to_string()))
        .bind(texts(bars, |bar| bar.row.bar.high.to_string()))
        .bind(texts(bars, |bar| bar.row.bar.low.to_string()))
        .bind(texts(bars, |bar| bar.row.bar.close.price.to_string()))
        .bind(texts(bars, |bar| bar.row.bar.volume.to_string()))
        .bind(texts(bars, |bar| bar.row.bar.buy_volume.to_string()))
        .bind(texts(bars, |bar| bar.row.bar.sell_volume.to_string()))
        .bind(texts(bars, |bar| bar.row.bar.notional.to_string()))
        .bind(column(bars, |bar| bar.row.bar.trades.cast_signed()))
        .bind(column(bars, |bar| bar.row.revision.cast_signed()))
        .bind(column(bars, |bar| bar.row.through.epoch.cast_signed()))
        .bind(column(bars, |bar| bar.row.through.offset.cast_signed()));
    let bound = [open_trade as fn(&StoredBar) -> &EdgeTrade, close_trade]
        .into_iter()
        .fold(bound, |bound, edge_trade| {
            bound
                .bind(column(bars, |bar| edge_trade(bar).time_ns))
                .bind(column(bars, |bar| {
                    edge_trade(bar).id.as_ref().map(ToString::to_string)
                }))
                .bind(column(bars, |bar| {
                    edge_trade(bar).scope.as_deref().map(str::to_owned)
                }))
                .bind(column(bars, |bar| {
                    edge_trade(bar).position.epoch.cast_signed()
                }))
                .bind(column(bars, |bar| {
                    edge_trade(bar).position.offset.cast_signed()
                }))
        });
    let bound = bound
        .bind(column(bars, |bar| bar.row.bar.first_append_ns))
        .bind(column(bars, |bar| bar.row.bar.admitted.cast_signed()))
        .bind(column(bars, |bar| bar.row.provable));
    bound.execute(&mut *session).await.unwrap();
    query("COMMIT").execute(session).await.unwrap();
}

/// Runs the other statement of a commit, which sends the keys once more: deletes bars that close
/// from the open ones, or finds those that were not open before.
async fn run_key_statement(session: &mut PgConnection, bars: &[StoredBar], closed: bool) {
    let head = if closed {
        "DELETE FROM open_bars AS o USING"
    } else {
        "SELECT min(k.start) FROM open_bars AS o RIGHT JOIN"
    };
    let tail = if closed { "WHERE" } else { "ON" };
    let rest = if closed { "" } else { "WHERE o.venue IS NULL" };
    let sql = format!(
        "{head} (SELECT venue, symbol, interval_s, to_timestamp(start) AS start FROM \
         unnest($1::text[], $2::text[], $3::int[], $4::bigint[]) \
         AS u (venue, symbol, interval_s, start)) AS k {tail} o.venue = k.venue \
         AND o.symbol = k.symbol AND o.interval_s = k.interval_s AND o.start = k.start {rest}"
    );
    let bound = query(AssertSqlSafe(sql))
        .bind(texts(bars, |bar| bar.instrument.venue().to_owned()))
        .bind(texts(bars, |bar| bar.instrument.symbol().to_owned()))
        .bind(column(bars, seconds))
        .bind(column(bars, |bar| bar.row.window.start_ns / 1_000_000_000));
    bound.execute(session).await.unwrap();
}

fn seconds(bar: &StoredBar) -> i32 {
    i32::try_from(bar.row.window.interval.length_ns() / 1_000_000_000).unwrap()
}

fn upsert_statement(closed: bool) -> String {
    let names: Vec<_> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let values = COLUMNS
        .iter()
        .enumerate()
        .map(|(index, (name, _))| match name {
            &"start" => "to_timestamp(start)".to_owned(),
            name if NUMERIC.contains(&index) => format!("{name}::numeric"),
            name => (*name).to_owned(),
        });
    let arrays = COLUMNS
        .iter()
        .zip(1..)
        .map(|((_, kind), number)| format!("${number}::{kind}[]"));
    let updates = names[4..]
        .iter()
        .map(|name| format!("{name} = excluded.{name}"));
    let (table, partition_column, partition_value) = if closed {
        ("bars", "", "")
    } else {
        ("open_bars", "partition, ", "0, ")
    };
    format!(
        "INSERT INTO {table} ({partition_column}{names}) SELECT {partition_value}{} FROM unnest({}) AS u ({names}) \
         ON CONFLICT (venue, symbol, interval_s, start) DO UPDATE SET {}",
        values.collect::<Vec<_>>().join(", "),
        arrays.collect::<Vec<_>>().join(", "),
        updates.collect::<Vec<_>>().join(", "),
        names = names.join(", "),
    )
}

fn open_trade(bar: &StoredBar) -> &EdgeTrade {
    &bar.row.bar.open
}

fn close_trade(bar: &StoredBar) -> &EdgeTrade {
    &bar.row.bar.close
}

fn texts(bars: &[StoredBar], text: impl Fn(&StoredBar) -> String) -> Vec<String> {
    column(bars, text)
}

fn column<T>(bars: &[StoredBar], value: impl Fn(&StoredBar) -> T) -> Vec<T> {
    bars.iter().map(value).collect()
}
