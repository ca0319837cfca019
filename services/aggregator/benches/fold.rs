//! The fold in memory: trades a second on one core, exact, with the identity of each checked.

use std::hint::black_box;
use std::time::{Duration, Instant};

use candlewick_aggregator::Exercise;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use market::IdScheme;

const SYMBOLS: u32 = 1_000;
/// Trades a round, as many as a worker has at hand after a few fetches.
const TRADES: usize = 100_000;
const ROUNDS: u64 = 40;

/// Folds so many times so many rounds; only the fold is timed.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn rounds(scheme: IdScheme, times: u64) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..times {
        let mut exercise = Exercise::new(scheme, SYMBOLS, TRADES);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let counted = black_box(exercise.fold());
            spent += start.elapsed();
            assert_eq!(counted, TRADES as u64, "every trade counts");
            exercise.move_on();
        }
    }
    spent
}

fn fold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fold, 1,000 symbols (budget 40 M trades/s a core)");
    group.throughput(Throughput::Elements(TRADES as u64 * ROUNDS));
    group.sample_size(10);
    for (name, scheme) in [
        ("contiguous ids", IdScheme::Contiguous),
        ("exact ids", IdScheme::Unique),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| rounds(scheme, times));
        });
    }
    group.finish();
}

criterion_group!(benches, fold);
criterion_main!(benches);
