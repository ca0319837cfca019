//! What the report says about conflicts.

use std::fmt::Write;

use host::format_count;

use crate::conflicts::SymbolConflicts;

/// The most symbols that are named.
const LISTED_LIMIT: usize = 10;

/// Returns whether any symbol has a conflict.
pub(crate) fn has_conflicts(found: &[SymbolConflicts]) -> bool {
    found.iter().any(|symbol| symbol.conflicts > 0)
}

/// Returns the lines about the conflicts of a run. `sent_before` is the number of trades that an
/// earlier, interrupted run has sent; they are not among those that were compared.
pub(crate) fn conflict_lines(
    conflicts: &Result<Vec<SymbolConflicts>, String>,
    sent_before: u64,
) -> String {
    let found = match conflicts {
        Ok(found) => found,
        Err(reason) => return format!("Conflicts were not counted: {reason}\n"),
    };
    let mut text = String::new();
    if sent_before > 0 {
        let _ = writeln!(
            text,
            "Only the trades that this run sent were compared, from trade {} on. \
             GET /api/v1/duplicates/VENUE/SYMBOL?conflicts=true lists the conflicts of those \
             before, too.",
            format_count(sent_before.saturating_add(1))
        );
    }
    if has_conflicts(found) {
        let conflicting = found.iter().filter(|symbol| symbol.conflicts > 0);
        text += &format_count_lines(
            "Conflicts",
            &conflicting.collect::<Vec<_>>(),
            |symbol| symbol.conflicts,
            "conflict with the first delivery of their id (another time, price, quantity or side) \
             and do not count",
        );
        for symbol in found.iter().filter(|symbol| symbol.is_of_another_day) {
            let _ = writeln!(
                text,
                "The ids of {}:{} begin again on another day. If the venue numbers the trades of \
                 each day from the start, send the tapes as another --venue with --id-scope day.",
                symbol.venue, symbol.symbol
            );
        }
    } else if found.iter().any(|symbol| symbol.is_limited) {
        text += "Conflicts: none among the trades that were compared.\n";
    } else {
        text += "Conflicts: none.\n";
    }
    let not_comparable = found.iter().filter(|symbol| symbol.not_comparable > 0);
    let not_comparable: Vec<_> = not_comparable.collect();
    if !not_comparable.is_empty() {
        text += &format_count_lines(
            "Not comparable",
            &not_comparable,
            |symbol| symbol.not_comparable,
            "were delivered before and cannot be compared: the first delivery is no longer stored",
        );
    }
    text
}

/// Returns a line with the sum of a count over symbols, and a line for each of the first symbols.
fn format_count_lines(
    heading: &str,
    symbols: &[&SymbolConflicts],
    count: impl Fn(&SymbolConflicts) -> u64,
    what: &str,
) -> String {
    let at_least = |is_limited: bool| if is_limited { "at least " } else { "" };
    let is_limited = symbols.iter().any(|symbol| symbol.is_limited);
    let total = symbols.iter().map(|symbol| count(symbol)).sum();
    let mut text = format!(
        "{heading}: {}{} trades {what}:\n",
        at_least(is_limited),
        format_count(total)
    );
    for symbol in symbols.iter().take(LISTED_LIMIT) {
        let _ = writeln!(
            text,
            "  {}{} of {}:{}; GET /api/v1/duplicates/{}/{}?conflicts=true lists them",
            at_least(symbol.is_limited),
            format_count(count(symbol)),
            symbol.venue,
            symbol.symbol,
            symbol.venue,
            client::path_segment(symbol.symbol.as_str()),
        );
    }
    if symbols.len() > LISTED_LIMIT {
        let count = format_count((symbols.len() - LISTED_LIMIT) as u64);
        let _ = writeln!(text, "  and those of {count} more symbols");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{conflict_lines, has_conflicts};
    use crate::conflicts::SymbolConflicts;

    fn symbol(name: &str, conflicts: u64, not_comparable: u64) -> SymbolConflicts {
        SymbolConflicts {
            venue: "v".parse().unwrap(),
            symbol: name.parse().unwrap(),
            conflicts,
            not_comparable,
            is_limited: conflicts > 9_999,
            is_of_another_day: conflicts == 3,
        }
    }

    #[test]
    fn a_resumed_run_says_from_where_on_it_compared() {
        let text = conflict_lines(&Ok(Vec::new()), 1_000);
        let expected = "\
Only the trades that this run sent were compared, from trade 1,001 on. GET /api/v1/duplicates/VENUE/SYMBOL?conflicts=true lists the conflicts of those before, too.
Conflicts: none.
";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_was_counted_is_said_and_nothing_else() {
        assert_eq!(conflict_lines(&Ok(Vec::new()), 0), "Conflicts: none.\n");
        let unknown = conflict_lines(&Err("no answer".to_owned()), 0);
        assert_eq!(unknown, "Conflicts were not counted: no answer\n");
        let found = vec![symbol("A/B", 3, 0), symbol("C", 10_000, 2)];
        assert!(has_conflicts(&found) && !has_conflicts(&[symbol("A", 0, 1)]));
        let expected = "\
Conflicts: at least 10,003 trades conflict with the first delivery of their id (another time, price, quantity or side) and do not count:
  3 of v:A/B; GET /api/v1/duplicates/v/A%2FB?conflicts=true lists them
  at least 10,000 of v:C; GET /api/v1/duplicates/v/C?conflicts=true lists them
The ids of v:A/B begin again on another day. If the venue numbers the trades of each day from the start, send the tapes as another --venue with --id-scope day.
Not comparable: at least 2 trades were delivered before and cannot be compared: the first delivery is no longer stored:
  at least 2 of v:C; GET /api/v1/duplicates/v/C?conflicts=true lists them
";
        assert_eq!(conflict_lines(&Ok(found), 0), expected);
        let many: Vec<_> = (0..12)
            .map(|number| symbol(&format!("S{number}"), 1, 0))
            .collect();
        let text = conflict_lines(&Ok(many), 0);
        assert!(text.contains("Conflicts: 12 trades"), "{text}");
        assert!(text.ends_with("  and those of 2 more symbols\n"), "{text}");
    }
}
