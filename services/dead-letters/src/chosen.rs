//! The dead letters that are sent again.

use std::collections::HashSet;
use std::slice;

use eventlog::{Bounds, Log};

use super::arguments::{Filter, Which};
use super::found::{Found, Item, at};
use super::letters::{Letters, extent};
use super::place::LetterPlace;
use super::undecoded::Undecoded;

/// Which letters are sent again. They can be gone through more than once, and are the same each
/// time, but for those that the topic drops for their age meanwhile: nobody has to keep them.
pub(super) enum Chosen<'a> {
    /// At these places, where letters are, oldest first.
    Places(Vec<LetterPlace>),
    /// Those that the filter takes, of what the topic held at the beginning. What is sent now may
    /// become a dead letter again, which is not to be sent for ever.
    Matching(&'a Filter, Vec<Bounds>),
}

/// A way through the letters, oldest first.
pub(super) enum Walk<'a, L> {
    Places(&'a L, slice::Iter<'a, LetterPlace>),
    Matching(Box<Letters<'a, L>>, &'a Filter),
}

impl<'a> Chosen<'a> {
    /// Looks up which they are; notes what is no letter among places.
    pub(super) async fn of<L: Log>(
        log: &L,
        which: &'a Which,
        undecoded: &mut Undecoded,
        mut tell: impl FnMut(&str),
    ) -> anyhow::Result<Self> {
        let places = match which {
            Which::Matching(filter) => return Ok(Self::Matching(filter, extent(log).await?)),
            Which::Places(places) => places,
        };
        let (mut chosen, mut sources) = (Vec::new(), HashSet::new());
        for place in places {
            match at(log, *place).await? {
                Item::Letter(Found {
                    place,
                    append_time_ns,
                    letter,
                }) => {
                    // Two letters may be of one record, where a process ended between them.
                    if sources.insert((letter.partition, letter.position)) {
                        chosen.push((append_time_ns, place));
                    }
                }
                Item::Other(other) => undecoded.note(&other).iter().for_each(|line| tell(line)),
            }
        }
        chosen.sort_unstable();
        let places = chosen.into_iter().map(|(_, place)| place).collect();
        Ok(Self::Places(places))
    }

    /// Goes through them.
    pub(super) fn walk<L: Log>(&'a self, log: &'a L) -> Walk<'a, L> {
        match self {
            Self::Places(places) => Walk::Places(log, places.iter()),
            Self::Matching(filter, extent) => {
                Walk::Matching(Box::new(Letters::within(log, extent)), filter)
            }
        }
    }
}

impl<L: Log> Walk<'_, L> {
    /// The next one, or a record that is none; nothing at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Item>> {
        match self {
            Self::Places(log, places) => match places.next() {
                Some(place) => at(*log, *place).await.map(Some),
                None => Ok(None),
            },
            Self::Matching(letters, filter) => loop {
                match letters.next().await? {
                    Some(Item::Letter(found)) if !filter.takes(&found.letter) => {}
                    item => return Ok(item),
                }
            },
        }
    }
}
