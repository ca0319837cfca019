//! Lists that are shuffled a little.

use fastrand::Rng;

/// Moves every item by at most about `reach` places.
pub(crate) fn shuffle_within<T>(random: &mut Rng, items: Vec<T>, reach: u64) -> Vec<T> {
    let mut placed: Vec<_> = (0..)
        .zip(items)
        .map(|(place, item)| (place + random.u64(..reach), item))
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, item)| item).collect()
}
