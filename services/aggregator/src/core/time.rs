//! The passing of time: alarms of symbols, and settings that change what is closed.

use market::VenueSettings;

use super::Core;
use super::symbol::Moment;

impl Core {
    /// Closes what time alone has closed.
    #[inline]
    pub(super) fn pass_time(&mut self, at: Moment) {
        while self.next_alarm_ns <= at.append_time_ns {
            self.ring(at);
        }
    }

    /// Asks the symbol whose alarm is due whether a window of it is.
    pub(super) fn ring(&mut self, at: Moment) {
        let (_, place) = self.alarms.pop_first().expect("an alarm is due");
        self.next_alarm_ns = self.alarms.first().map_or(i64::MAX, |alarm| alarm.0);
        let symbol = &mut self.symbols[place as usize];
        symbol.alarm_ns = i64::MAX;
        let settings = self.venues.settings(symbol.venue);
        let due_ns = symbol.due_ns(settings);
        if due_ns.is_some_and(|due_ns| due_ns <= at.append_time_ns) {
            symbol.pass_time(settings, at);
            self.list(place);
        }
        self.arm(place);
    }

    /// Sees to it that a symbol with open windows is asked when the next may close.
    pub(super) fn arm(&mut self, place: u32) {
        let symbol = &self.symbols[place as usize];
        let settings = self.venues.settings(symbol.venue);
        if let Some(due_ns) = symbol.due_ns(settings) {
            self.set_alarm(place, due_ns);
        }
    }

    pub(super) fn set_alarm(&mut self, place: u32, alarm_ns: i64) {
        let symbol = &mut self.symbols[place as usize];
        self.alarms.remove(&(symbol.alarm_ns, place));
        symbol.alarm_ns = alarm_ns;
        self.alarms.insert((alarm_ns, place));
        self.next_alarm_ns = self.alarms.first().map_or(i64::MAX, |alarm| alarm.0);
    }

    pub(super) fn set_venue(&mut self, venue: usize, settings: VenueSettings, at: Moment) {
        let places = 0..u32::try_from(self.symbols.len()).expect("fewer than 2^32 symbols");
        let of_venue = |core: &Self, place: u32| core.symbols[place as usize].venue == venue;
        let places: Vec<u32> = places.filter(|place| of_venue(self, *place)).collect();
        for place in &places {
            let symbol = &mut self.symbols[*place as usize];
            symbol.pass_time(self.venues.settings(venue), at);
        }
        self.venues.set(venue, settings);
        self.changed_venues.push(venue);
        for place in places {
            let symbol = &mut self.symbols[place as usize];
            symbol.pass_time(self.venues.settings(venue), at);
            symbol.keep_closed();
            self.list(place);
            self.arm(place);
        }
    }
}
