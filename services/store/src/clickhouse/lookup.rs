//! Looking up the first deliveries of trades.

use ::clickhouse::query::Query;
use market::{Instrument, Position, TradeId};
use serde::Serialize;

use super::read::{bind_table_range, fetch_ticks};
use super::server::ClickHouseServer;
use crate::tick_lookup::{FirstMatchingTicks, LookupKey};
use crate::{StoreError, Tick, TickLookup};

/// The most bytes of values that one statement names. The server reads statements of up to 256 KiB.
const VALUE_BYTES_PER_STATEMENT: usize = 200_000;
/// The most bytes that a character takes in a statement, with its escape.
const BYTES_PER_CHARACTER: usize = 2;
/// The most bytes that a number takes in a statement, with the separators of a row of values.
const BYTES_PER_NUMBER: usize = 24;

/// Columns that identify a trade, and the values that are looked up in them.
struct KeyColumns {
    /// Which rows have an identity in these columns.
    condition: &'static str,
    /// The columns, as the server compares them with the values.
    columns: &'static str,
}

const NUMBERS: KeyColumns = KeyColumns {
    condition: "id_kind = 'number'",
    columns: "id_number, ifNull(scope, '')",
};
const TEXTS: KeyColumns = KeyColumns {
    condition: "id_kind IN ('digits', 'text')",
    columns: "id_text, ifNull(scope, '')",
};
const SENDERS: KeyColumns = KeyColumns {
    condition: "id_kind = 'none' AND sender_key IS NOT NULL",
    columns: "sender_index, hex(assumeNotNull(sender_key))",
};

/// Values of one statement, grouped by the least position that the delivery of each may have.
type ValuesByPosition<V> = Vec<(Position, Vec<V>)>;

/// Returns for each trade of `lookup` the delivery with the least position within
/// `[start_ns, end_ns)`, in order of the positions. The server reads the identities of all ticks of
/// the range, and keeps one position for each trade that is looked up.
pub(super) async fn read_first_matching_ticks(
    server: &ClickHouseServer,
    instrument: &Instrument,
    start_ns: i64,
    end_ns: i64,
    lookup: &TickLookup,
) -> Result<Vec<Tick>, StoreError> {
    let (mut numbers, mut texts, mut senders) = (Vec::new(), Vec::new(), Vec::new());
    for (key, from) in lookup.entries() {
        match key {
            LookupKey::Id(id, scope) => {
                let scope = scope.as_deref().unwrap_or_default();
                match id {
                    TradeId::Number(number) => numbers.push((from, (*number, scope))),
                    TradeId::Digits(text) | TradeId::Text(text) => {
                        texts.push((from, (&**text, scope)));
                    }
                }
            }
            LookupKey::Sender(sender) => {
                let key = sender.key.map(|byte| format!("{byte:02X}")).concat();
                senders.push((from, (sender.index, key)));
            }
        }
    }
    let mut queries = Vec::new();
    let range = |query| bind_table_range(query, instrument, start_ns, end_ns);
    let number_bytes = |(_, scope): &(u64, &str)| BYTES_PER_NUMBER + max_escaped_text_bytes(scope);
    let text_pair_bytes =
        |(id, scope): &(&str, &str)| max_escaped_text_bytes(id) + max_escaped_text_bytes(scope);
    let sender_bytes = |(_, key): &(u64, String)| BYTES_PER_NUMBER + max_escaped_text_bytes(key);
    queries.extend(queries_for(server, &NUMBERS, numbers, number_bytes, range));
    queries.extend(queries_for(server, &TEXTS, texts, text_pair_bytes, range));
    queries.extend(queries_for(server, &SENDERS, senders, sender_bytes, range));
    let mut firsts = FirstMatchingTicks::new(lookup);
    for query in queries {
        for (partition, tick) in fetch_ticks(server, query).await? {
            firsts.keep_if_first(partition, tick);
        }
    }
    Ok(firsts.into_ticks())
}

/// Returns the statements that look values up in some columns.
fn queries_for<V: Serialize>(
    server: &ClickHouseServer,
    key: &KeyColumns,
    mut values: Vec<(Position, V)>,
    bytes_of: impl Fn(&V) -> usize,
    bind_range: impl Fn(Query) -> Query,
) -> Vec<Query> {
    values.sort_by_key(|(from, _)| *from);
    split_into_statements(values, bytes_of)
        .into_iter()
        .map(|groups| {
            let query = server.client().query(&select_first(key, groups.len()));
            let query = bind_range(bind_range(query));
            groups.into_iter().fold(query, |query, (from, values)| {
                query.bind(from.epoch).bind(from.offset).bind(values)
            })
        })
        .collect()
}

/// Divides values, in order of their positions, into statements of a limited size.
fn split_into_statements<V>(
    values: Vec<(Position, V)>,
    bytes_of: impl Fn(&V) -> usize,
) -> Vec<ValuesByPosition<V>> {
    let mut statements: Vec<ValuesByPosition<V>> = Vec::new();
    let mut used_bytes = VALUE_BYTES_PER_STATEMENT;
    for (from, value) in values {
        // A position of its own costs two numbers and the condition's text.
        let bytes = bytes_of(&value) + 8 * BYTES_PER_NUMBER;
        if used_bytes + bytes > VALUE_BYTES_PER_STATEMENT {
            statements.push(Vec::new());
            used_bytes = 0;
        }
        let groups = statements.last_mut().expect("one was just added");
        match groups.last_mut() {
            Some((group_from, group)) if *group_from == from => {
                used_bytes += bytes_of(&value);
                group.push(value);
            }
            _ => {
                used_bytes += bytes;
                groups.push((from, vec![value]));
            }
        }
    }
    statements
}

/// Returns the statement that selects the first deliveries of values in `groups` groups. `GLOBAL`
/// makes it work where the table is distributed, too.
fn select_first(key: &KeyColumns, groups: usize) -> String {
    const RANGE: &str = "venue = ? AND symbol = ? AND hour_ns >= ? AND hour_ns < ? \
        AND time_ns >= ? AND time_ns < ?";
    let KeyColumns { condition, columns } = key;
    let group = format!("((epoch, offset) >= (?, ?) AND ({columns}) IN ?)");
    let groups = vec![group; groups].join(" OR ");
    format!(
        "SELECT ?fields FROM trades WHERE {RANGE} \
         AND (epoch, offset, partition) GLOBAL IN ( \
         SELECT first.1, first.2, first.3 FROM ( \
         SELECT min((epoch, offset, partition)) AS first FROM trades \
         WHERE {RANGE} AND {condition} AND ({groups}) GROUP BY {columns}))"
    )
}

fn max_escaped_text_bytes(text: &str) -> usize {
    BYTES_PER_CHARACTER * text.len() + 4
}
