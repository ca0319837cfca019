//! Texts that real people and hostile ones send, in every field that holds a text.

use std::collections::BTreeSet;

use candlewick_store::{
    BarQuery, BarReader, BarStore, DirtyMinuteChange, IdChunkWrite, IdSegmentKey, IdSegmentStart,
    IdSetChange, IdSetKey, IdSetWrites, PartitionTransaction, PendingAmendmentRow, RefoldMark,
    SegmentIds, StoredBar, SymbolRow, TickStore, VenueRow,
};
use market::{
    Amendment, AmendmentKind, Bar, EdgeTrade, Instrument, Interval, Position, Symbol, TextKind,
    TradeId, Venue, VenueSettings, normalize_symbol_to_nfc, validate_text,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use schemas::TradesTopicRecord;

use crate::fixtures::{bar, commit_step, step, symbol, trade};
use crate::ticks::write_and_read;

/// The texts of one partition's rows.
#[derive(Debug, Clone)]
struct Texts {
    instrument: Instrument,
    id: TradeId,
    scope: String,
}

/// How many sets of texts are written to a store at once.
const COUNT: usize = 200;

fn symbols() -> impl Strategy<Value = Symbol> {
    let awkward = prop::sample::select(vec![
        "BTC/USDT:USDT",
        "M&M.NS",
        "ES1!",
        "币安人生USDT",
        "a b",
        "'",
        "\"",
        "\\",
        "\\N",
        "%",
        "%00",
        "{a}",
        "NULL",
        "--",
        "; DROP TABLE bars",
        "😀",
        "\u{10fffd}x",
        "Ā\u{323}",
    ]);
    let any = "[\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}]{1,64}";
    let texts = prop_oneof![awkward.prop_map(ToOwned::to_owned), any, "[!-~]{1,64}"];
    texts.prop_filter_map("no legal symbol", |text| {
        normalize_symbol_to_nfc(&text).parse().ok()
    })
}

fn texts() -> impl Strategy<Value = Texts> {
    let venues =
        "[A-Za-z0-9_-][A-Za-z0-9._-]{0,31}".prop_map(|text| text.parse::<Venue>().unwrap());
    let ids = prop_oneof!["[!-~]{1,128}", "0{1,5}[0-9]{0,20}", "[1-9][0-9]{0,127}"];
    (venues, symbols(), ids, "[!-~]{1,64}").prop_map(|(venue, symbol, id, scope)| Texts {
        instrument: Instrument::new(&venue, &symbol),
        id: TradeId::parse(&id).unwrap(),
        scope,
    })
}

/// Draws sets of texts whose instruments differ.
fn draw_texts() -> Vec<Texts> {
    let mut runner = TestRunner::deterministic();
    let mut instruments = BTreeSet::new();
    let mut drawn = Vec::new();
    while drawn.len() < COUNT {
        let texts = texts().new_tree(&mut runner).unwrap().current();
        if instruments.insert(texts.instrument.clone()) {
            drawn.push(texts);
        }
    }
    drawn
}

impl Texts {
    fn bar(&self, interval: Interval, closed: bool) -> StoredBar {
        let mut stored = bar(&self.instrument, interval, 0, 7, closed);
        stored.row.bar = self.bar_values(&stored.row.bar);
        stored
    }

    fn bar_values(&self, bar: &Bar) -> Bar {
        let edge = |edge: &EdgeTrade| EdgeTrade {
            id: Some(self.id.clone()),
            scope: Some(self.scope.as_str().into()),
            ..edge.clone()
        };
        Bar {
            open: edge(&bar.open),
            close: edge(&bar.close),
            ..bar.clone()
        }
    }

    fn set_key(&self, bucket_ns: i64) -> IdSetKey {
        IdSetKey {
            instrument: self.instrument.clone(),
            scope: self.scope.as_str().into(),
            bucket_ns,
        }
    }

    fn add_to(&self, transaction: &mut PartitionTransaction) {
        let closed = self.bar(Interval::M1, true);
        transaction.dirty_minutes.push(DirtyMinuteChange {
            instrument: self.instrument.clone(),
            start_ns: 0,
            mark: Some(RefoldMark {
                up_to: Position::default(),
                amendments: 1,
                force: false,
                later_bar: Some(closed.row.bar.clone()),
            }),
        });
        transaction.bars.push(closed);
        transaction.bars.push(self.bar(Interval::H1, false));
        transaction.symbols.push(SymbolRow {
            instrument: self.instrument.clone(),
            ..symbol("a:a", 5)
        });
        transaction.venues.push(VenueRow {
            venue: self.instrument.venue().parse().unwrap(),
            settings: VenueSettings::default(),
            declared_at: Position::default(),
        });
        let all_writes = [
            IdSetWrites::Ranges {
                upserted: vec![(1, 2)],
                removed_firsts: Vec::new(),
            },
            IdSetWrites::Segments {
                removed: Vec::new(),
                written: vec![segment_write(7)],
            },
        ];
        for (bucket_ns, writes) in (0..).zip(all_writes) {
            transaction.id_sets.push(IdSetChange {
                key: self.set_key(bucket_ns),
                last_append_ns: 3,
                writes,
            });
        }
        transaction.pending_amendments.push(PendingAmendmentRow {
            key: self.set_key(0),
            id: self.id.clone(),
            append_time_ns: 9,
        });
    }
}

fn segment_write(number: u64) -> IdChunkWrite {
    IdChunkWrite {
        start: IdSegmentStart::Number(0),
        chunk: 0,
        ids: SegmentIds::Numbers(vec![number]),
    }
}

/// Every legal text is stored as it is, in every field.
pub(crate) async fn legal_texts_come_back_from_a_bar_store(store: &impl BarStore) {
    let drawn = draw_texts();
    let mut transaction = step(0, 0, 1);
    for texts in &drawn {
        texts.add_to(&mut transaction);
    }
    commit_step(store, transaction.clone()).await;

    let state = store.load_or_create_partition(0, 1).await.unwrap();
    assert_eq!(state.symbols.len(), COUNT);
    assert_eq!(state.pending_amendments.len(), COUNT);
    assert_eq!(state.dirty_minutes.len(), COUNT);
    for row in &transaction.pending_amendments {
        assert!(state.pending_amendments.contains(row), "{row:?}");
    }
    for texts in &drawn {
        let is_mine = |instrument: &Instrument| *instrument == texts.instrument;
        assert!(state.symbols.iter().any(|row| is_mine(&row.instrument)));
        let dirty = state
            .dirty_minutes
            .iter()
            .find(|row| is_mine(&row.instrument));
        let expected = texts.bar(Interval::M1, true).row;
        assert_eq!(
            dirty.unwrap().mark.later_bar.as_ref(),
            Some(&expected.bar),
            "{texts:?}"
        );
        for row in [expected, texts.bar(Interval::H1, false).row] {
            let query = BarQuery {
                instrument: texts.instrument.clone(),
                interval: row.window.interval,
                start_ns: 0,
                end_ns: i64::MAX,
                limit: 10,
                keep_newest: false,
            };
            assert_eq!(store.bar_range(&query).await.unwrap(), [row], "{texts:?}");
        }
        let keys = [texts.set_key(0), texts.set_key(1)];
        let sets = store.id_sets(&keys).await.unwrap();
        assert_eq!(sets[0].ranges, [(1, 2)], "{texts:?}");
        assert_eq!(
            sets[1].segments[0].start,
            segment_write(7).start,
            "{texts:?}"
        );
    }
}

/// A text that no record can hold is refused or kept as it is, and the store works as before.
pub(crate) async fn hostile_texts_do_no_harm_to_a_bar_store(store: &impl BarStore) {
    store.load_or_create_partition(0, 1).await.unwrap();
    let hostile = [
        "a\0b", "\0", "\u{1}", "\u{7f}", "\r\n", "\u{202e}", "\u{fffe}",
    ];
    let mut at = 0;
    for text in hostile {
        assert!(validate_text(TextKind::Scope, text).is_err());
        let legal = Texts {
            instrument: "v:A".parse().unwrap(),
            id: TradeId::parse("7").unwrap(),
            scope: "s".to_owned(),
        };
        let in_scope = Texts {
            scope: text.to_owned(),
            ..legal.clone()
        };
        let in_id = Texts {
            id: TradeId::Text(text.into()),
            ..legal.clone()
        };
        for texts in [in_scope, in_id, legal] {
            let mut transaction = step(0, at, at + 1);
            texts.add_to(&mut transaction);
            match store.commit(&transaction).await {
                Ok(_) => {
                    at += 1;
                    let sets = store.id_sets(&[texts.set_key(0)]).await.unwrap();
                    assert_eq!(sets[0].ranges, [(1, 2)], "{texts:?}");
                }
                Err(error) => assert!(error.is_data_refused(), "{texts:?}: {error}"),
            }
        }
    }
    assert!(at >= hostile.len() as u64, "the legal texts were committed");
    let progress = store.partition_progress(0).await.unwrap().unwrap();
    assert_eq!(progress.next_offset, at);
}

/// Returns writes of the same kind with other ids.
fn other_writes(writes: &IdSetWrites) -> IdSetWrites {
    match writes {
        IdSetWrites::Ranges { .. } => IdSetWrites::Ranges {
            upserted: vec![(1, 1), (9, 9)],
            removed_firsts: Vec::new(),
        },
        IdSetWrites::Segments { .. } => IdSetWrites::Segments {
            removed: Vec::new(),
            written: vec![segment_write(1)],
        },
    }
}

/// Of a row that one transaction has twice, the last counts.
pub(crate) async fn the_last_of_repeated_rows_counts(store: &impl BarStore) {
    let texts = Texts {
        instrument: "v:A".parse().unwrap(),
        id: TradeId::parse("x").unwrap(),
        scope: "s".to_owned(),
    };
    let mut transaction = step(0, 0, 1);
    texts.add_to(&mut transaction);
    let mut first = transaction.clone();
    for stored in &mut first.bars {
        stored.row.revision += 100;
        stored.row.closed = !stored.row.closed;
    }
    first.symbols[0].watermark_ns += 100;
    first.venues[0].settings.idle_ns += 100;
    first.dirty_minutes[0].mark = None;
    first.pending_amendments[0].append_time_ns += 100;
    for change in &mut first.id_sets {
        change.last_append_ns += 100;
        change.writes = other_writes(&change.writes);
    }
    let whole = transaction.clone();
    first.bars.append(&mut transaction.bars);
    first.symbols.append(&mut transaction.symbols);
    first.venues.append(&mut transaction.venues);
    first.dirty_minutes.append(&mut transaction.dirty_minutes);
    first
        .pending_amendments
        .append(&mut transaction.pending_amendments);
    first.id_sets.append(&mut transaction.id_sets);
    commit_step(store, first).await;

    let state = store.load_or_create_partition(0, 1).await.unwrap();
    assert_eq!(state.symbols, whole.symbols);
    assert_eq!(state.venues, whole.venues);
    assert_eq!(state.pending_amendments, whole.pending_amendments);
    assert_eq!(state.dirty_minutes.len(), 1);
    assert_eq!(
        Some(&state.dirty_minutes[0].mark),
        whole.dirty_minutes[0].mark.as_ref()
    );
    assert_eq!(state.open_bars, [whole.bars[1].clone()]);
    for stored in &whole.bars {
        let query = BarQuery {
            instrument: stored.instrument.clone(),
            interval: stored.row.window.interval,
            start_ns: 0,
            end_ns: i64::MAX,
            limit: 10,
            keep_newest: false,
        };
        let read = store.bar_range(&query).await.unwrap();
        assert_eq!(read, std::slice::from_ref(&stored.row));
    }
    let keys = [texts.set_key(0), texts.set_key(1)];
    let sets = store.id_sets(&keys).await.unwrap();
    assert_eq!(sets[0].ranges, [(1, 2), (9, 9)]);
    let key = IdSegmentKey {
        set: keys[1].clone(),
        start: segment_write(7).start,
    };
    let segments = store.id_segments(&[key]).await.unwrap();
    assert_eq!(segments[0].ids, segment_write(7).ids);
    assert_eq!(segments[0].chunk_count, 1);
    assert_eq!((sets[0].last_append_ns, sets[1].last_append_ns), (3, 3));
}

/// Every legal text of a trade, an edit and a cancel is archived as it is.
pub(crate) async fn legal_texts_come_back_from_a_tick_store(store: &impl TickStore) {
    let mut records = Vec::new();
    for (number, texts) in (0..).zip(draw_texts()) {
        let mut trade = trade(1, number);
        trade.id = Some(texts.id.clone());
        trade.scope = Some(texts.scope.as_str().into());
        let kinds = [None, Some(AmendmentKind::Edit), Some(AmendmentKind::Cancel)];
        records.push(match kinds[(number % 3) as usize] {
            None => TradesTopicRecord::Trade(trade),
            Some(kind) => {
                let amendment = Amendment {
                    id: texts.id,
                    kind,
                    target_position: None,
                };
                TradesTopicRecord::Amendment(amendment, trade)
            }
        });
    }
    for texts in draw_texts().into_iter().step_by(20) {
        let read = write_and_read(store, &texts.instrument, &records).await;
        let read = read.into_iter().map(|tick| match tick.amendment {
            None => TradesTopicRecord::Trade(tick.trade),
            Some(amendment) => TradesTopicRecord::Amendment(amendment, tick.trade),
        });
        assert!(read.eq(records.iter().cloned()), "{}", texts.instrument);
    }
}
