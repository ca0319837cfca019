//! Guessing what a misspelt name was meant to be.

use strsim::damerau_levenshtein;

/// Returns the known name that is closest to `name`, if it is close enough to be a slip: at most
/// one edit for every three characters, or the same last part in another section.
pub(super) fn find_nearest_name<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let max_edits = (name.chars().count() / 3).max(1);
    let last_part = |path: &str| path.rsplit('.').next().map(str::to_owned);
    known
        .map(|candidate| {
            let edits = damerau_levenshtein(name, candidate);
            let rank = match last_part(candidate) == last_part(name) {
                true => edits.min(max_edits),
                false => edits,
            };
            (rank, edits, candidate)
        })
        .filter(|(rank, ..)| *rank <= max_edits)
        .min()
        .map(|(.., candidate)| candidate)
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
            assert_eq!(damerau_levenshtein(left, right), edits);
            assert_eq!(damerau_levenshtein(right, left), edits);
        }
    }

    #[test]
    fn a_misspelt_name_finds_its_name_and_an_unrelated_one_finds_none() {
        let known = || ["api.listen", "kafka.brokers", "log"].into_iter();
        let find = |name| find_nearest_name(name, known());
        assert_eq!(find("kafka.broker"), Some("kafka.brokers"));
        assert_eq!(find("listen"), Some("api.listen"));
        assert_eq!(find("lgo.x"), None);
        assert_eq!(find("colour"), None);
    }

    #[test]
    fn two_swapped_characters_are_one_edit() {
        let known = || ["log", "data"].into_iter();
        assert_eq!(find_nearest_name("lgo", known()), Some("log"));
    }
}
