//! Noticing that venues were retired.

use std::collections::BTreeSet;

use backend::Backend;
use market::Venue;

use super::client_channel_name::ClientChannelName;
use super::connection::StreamConnection;
use super::disconnection::Disconnection;
use crate::hub::ChannelName;
use crate::state::ApiParts;

/// The greatest number of venues that one check reads from the store.
const MAX_READS: usize = 8;

/// Looks which venues of a connection were retired. Those that the process knows cost nothing; of
/// the others some are read at each check, in turn.
#[derive(Debug, Default)]
pub(super) struct GenerationCheck {
    /// The last venue that was read.
    last_read: Option<Venue>,
}

impl GenerationCheck {
    /// Returns those of `venues` that are retired, as far as this check knows.
    pub(super) async fn find_retired<B: Backend>(
        &mut self,
        state: &ApiParts<B>,
        venues: BTreeSet<Venue>,
    ) -> Vec<Venue> {
        let known = state.producer.known_settings();
        let mut retired = Vec::new();
        let mut unknown = BTreeSet::new();
        for venue in venues {
            match known.get(venue.as_str()) {
                Some(declared) if declared.settings.retired => retired.push(venue),
                Some(_) => {}
                None => _ = unknown.insert(venue),
            }
        }
        for venue in self.next_to_read(&unknown) {
            let settings = state.producer.settings_declared_everywhere(&venue).await;
            // A store that is away is asked again at a later check.
            if let Ok(Some(settings)) = settings
                && settings.retired
            {
                retired.push(venue);
            }
        }
        retired
    }

    /// Returns the venues to read at this check: those after the last one that was read.
    fn next_to_read(&mut self, unknown: &BTreeSet<Venue>) -> Vec<Venue> {
        let is_after = |venue: &&Venue| Some(*venue) > self.last_read.as_ref();
        let after = unknown.iter().filter(is_after);
        let before = unknown.iter().filter(|venue| !is_after(venue));
        let next: Vec<_> = after.chain(before).take(MAX_READS).cloned().collect();
        self.last_read = next.last().cloned();
        next
    }
}

impl<B: Backend> StreamConnection<B> {
    /// Sends a snapshot of each channel whose name means a later generation of its venue than
    /// before, because the venue was retired, and follows that one from now on.
    pub(super) async fn follow_generations(&mut self) -> Result<(), Disconnection> {
        let venues = self.subscriptions.iter();
        let venues = venues.filter(|(_, known)| known.named.means_generation_in_use());
        let venues: BTreeSet<_> = venues.map(|(name, _)| name.instrument.to_venue()).collect();
        let retired = self.generations.find_retired(&self.state, venues).await;
        for venue in retired {
            let known = self.subscriptions.iter();
            let known: Vec<_> = known
                .filter(|(_, known)| known.named.means_generation_in_use())
                .filter(|(name, _)| name.instrument.venue() == venue.as_str())
                .map(|(name, known)| (name.clone(), known.named.clone()))
                .collect();
            for (before, named) in known {
                self.follow_next_generation(&before, &named).await?;
            }
        }
        Ok(())
    }

    async fn follow_next_generation(
        &mut self,
        before: &ChannelName,
        named: &ClientChannelName,
    ) -> Result<(), Disconnection> {
        let name = self.resolve_channel_or_disconnect(named, 1).await?;
        self.subscriptions.remove(before);
        self.state.hub.unsubscribe(before, &self.changed_channels);
        let mut subscription = self.add_subscription(named, &name);
        let message = self.read_snapshot(&mut subscription, Some(false)).await?;
        self.keep_subscription(subscription);
        self.send_message(message).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unknown_venue_is_read_in_turn() {
        let venue = |number: usize| format!("v{number:02}").parse::<Venue>().unwrap();
        let all: BTreeSet<_> = (0..20).map(venue).collect();
        let mut check = GenerationCheck::default();
        let mut read = BTreeSet::new();
        for _ in 0..3 {
            let next = check.next_to_read(&all);
            assert_eq!(next.len(), MAX_READS);
            read.extend(next);
        }
        assert_eq!(read, all);
        let few: BTreeSet<_> = (0..2).map(venue).collect();
        assert_eq!(check.next_to_read(&few).len(), 2);
        assert_eq!(check.next_to_read(&BTreeSet::new()), []);
    }
}
