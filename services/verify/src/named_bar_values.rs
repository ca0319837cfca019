//! The values of a bar as text, for differences.

use market::{Bar, EdgeTrade, Position, format_time};

/// Returns every value of a bar: its name and text.
pub(crate) fn named_bar_values(bar: &Bar) -> [(&'static str, String); 19] {
    [
        ("open", bar.open.price.to_string()),
        ("open_time", format_time(bar.open.time_ns)),
        ("open_id", edge_trade_id(&bar.open)),
        ("open_scope", edge_trade_scope(&bar.open)),
        ("open_position", format_position(bar.open.position)),
        ("high", bar.high.to_string()),
        ("low", bar.low.to_string()),
        ("close", bar.close.price.to_string()),
        ("close_time", format_time(bar.close.time_ns)),
        ("close_id", edge_trade_id(&bar.close)),
        ("close_scope", edge_trade_scope(&bar.close)),
        ("close_position", format_position(bar.close.position)),
        ("volume", bar.volume.to_string()),
        ("buy_volume", bar.buy_volume.to_string()),
        ("sell_volume", bar.sell_volume.to_string()),
        ("notional", bar.notional.to_string()),
        ("trades", bar.trades.to_string()),
        ("admitted", bar.admitted.to_string()),
        ("first_append", format_time(bar.first_append_ns)),
    ]
}

fn edge_trade_id(edge: &EdgeTrade) -> String {
    let id = edge.id.as_ref();
    id.map_or_else(|| "none".to_owned(), ToString::to_string)
}

fn edge_trade_scope(edge: &EdgeTrade) -> String {
    edge.scope.as_deref().unwrap_or("none").to_owned()
}

/// Formats a position as `epoch/offset`.
pub(crate) fn format_position(position: Position) -> String {
    format!("{}/{}", position.epoch, position.offset)
}
