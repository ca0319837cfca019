use candlewick_api::BarJson;
use market::*;
fn main() {
    let mut row = None;
    for i in 0..100i64 {
        let t = Trade { time_ns: 1_700_000_040_000_000_000 + i, price: Decimal::new(6_543_210 + i, 2).unwrap(), quantity: Some(Decimal::new(12_345 + i, 5).unwrap()), side: Some(Side::Buy), id: Some(TradeId::Number(i as u64)), scope: None, sender: None };
        let b = Bar::of(&t, Position::default(), 0);
        match &mut row { None => row = Some(b), Some(r) => r.merge(&b) }
    }
    let row = BarRow { window: Interval::M1.window(1_700_000_040_000_000_000), bar: row.unwrap(), closed: true, revision: 0, through: Position::default() };
    let n = 200_000;
    let time = |name: &str, f: &mut dyn FnMut()| { let s = std::time::Instant::now(); for _ in 0..n { f(); } println!("{name} {} ns", s.elapsed().as_nanos() / n); };
    time("mean", &mut || { std::hint::black_box(mean(&row.bar.notional, &row.bar.volume)); });
    time("of", &mut || { std::hint::black_box(BarJson::of(&row, 1)); });
    let j = BarJson::of(&row, 1);
    time("json", &mut || { std::hint::black_box(serde_json::to_vec(&j).unwrap()); });
    time("sum", &mut || { std::hint::black_box(row.bar.notional.to_string()); });
    time("price", &mut || { std::hint::black_box(row.bar.high.to_string()); });
    time("time", &mut || { std::hint::black_box(format_time(1_700_000_040_000_000_000)); });
    let enc = schemas::encode_bar_row(&row);
    time("decode", &mut || { std::hint::black_box(schemas::decode_bar_row(&enc).unwrap()); });
    time("parse", &mut || { std::hint::black_box("6543210.12345".parse::<Sum>().unwrap()); });
}
