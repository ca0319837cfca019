//! Guessing what a misspelt name was meant to be.

/// The known name closest to `name`, if it is close enough to be a slip: an edit for every three
/// characters, or the same last part in another section.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (name.chars().count() / 3).max(1);
    let last = |path: &str| path.rsplit('.').next().map(str::to_owned);
    known
        .map(|candidate| {
            let same_last = last(candidate) == last(name);
            let edits = distance(name, candidate);
            (
                if same_last { edits.min(most) } else { edits },
                edits,
                candidate,
            )
        })
        .filter(|(rank, ..)| *rank <= most)
        .min()
        .map(|(.., candidate)| candidate)
}

/// The Levenshtein distance in characters: <https://en.wikipedia.org/wiki/Levenshtein_distance>,
/// "iterative with two matrix rows" kept as one.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (column, to) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_the_textbook_ones() {
        for (left, right, edits) in [
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("", "abc", 3),
            ("same", "same", 0),
        ] {
            assert_eq!(distance(left, right), edits);
            assert_eq!(distance(right, left), edits);
        }
    }

    #[test]
    fn slips_find_their_name_and_strangers_find_none() {
        let known = || ["api.listen", "kafka.brokers", "log"].into_iter();
        assert_eq!(nearest("kafka.broker", known()), Some("kafka.brokers"));
        assert_eq!(nearest("listen", known()), Some("api.listen"));
        assert_eq!(nearest("lgo.x", known()), None);
        assert_eq!(nearest("colour", known()), None);
    }
}
