//! The fold in memory: encoded records through `FoldCore::apply`, on one core, exact, with the
//! identity of each trade checked.

mod feed;

use std::hint::black_box;
use std::time::{Duration, Instant};

use candlewick_aggregator::{FoldCore, LoadRequest, LoadedData};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use market::IdScheme;

use feed::FoldWorkload;

const SYMBOLS: u32 = 1_000;
/// The trades of a round: as many as a few fetches return.
const TRADES: usize = 100_000;
const ROUNDS: u64 = 40;

/// Folds `ROUNDS` rounds `times` times, and returns the time of the folds alone.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn time_rounds(scheme: IdScheme, times: u64) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..times {
        let mut feed = FoldWorkload::new(scheme, SYMBOLS, TRADES);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let counted = black_box(feed.apply_round());
            spent += start.elapsed();
            assert_eq!(counted, TRADES as u64, "every trade counts");
            assert_eq!(feed.decode_round(), counted, "every record is a trade");
            feed.prepare_next_round();
        }
    }
    spent
}

fn bench_fold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fold of encoded records, 1,000 symbols, one core");
    group.throughput(Throughput::Elements(TRADES as u64 * ROUNDS));
    group.sample_size(10);
    for (name, scheme) in [
        ("contiguous ids", IdScheme::Contiguous),
        ("exact ids", IdScheme::Unique),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| time_rounds(scheme, times));
        });
    }
    group.finish();
}

criterion_group!(benches, bench_fold);
criterion_main!(benches);
