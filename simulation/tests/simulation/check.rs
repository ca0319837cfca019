//! The invariants: the state after every commit, and the archive and every client at the end.

mod stored_state;

use std::collections::BTreeMap;

use api::ChannelName;
use eventlog::Record;
use market::Trade;
use schemas::api::{BarJson, PositionJson};
use schemas::{BarUpdatesTopicRecord, DeadLetter, SETTINGS_PARTITION};
use store::trades_current;

use self::stored_state::{compare_bars, compare_marks, compare_outcomes};
use crate::bar_store::StoredState;
use crate::cluster::SimCluster;
use crate::log::SimLog;
use crate::oracle::{Oracle, RecordOutcome};
use crate::pod::newest_rows;
use crate::trade_producer::PARTITIONS;

/// Every state of every bar of a followed channel, by channel, start and `through`: one for each,
/// except where the store refuses records.
type States = BTreeMap<(String, String, Option<PositionJson>), Vec<BarJson>>;

impl SimCluster {
    /// Checks the first invariant: what is stored equals the fold of the log up to its offset.
    pub fn check_commits(&mut self) -> Result<(), String> {
        for partition in self.bars.take_committed() {
            self.check_state(partition)?;
            self.check_updates_position(partition)?;
        }
        Ok(())
    }

    /// Checks that whoever reads `bar-updates` from the stored position misses no state that is not
    /// stored: of the updates before it, those that the worker that committed has announced since
    /// it loaded its state.
    fn check_updates_position(&self, partition: u32) -> Result<(), String> {
        let row = self.bars.read_stored(|stored| stored.progress[&partition]);
        if row.updates_position.epoch != eventlog::Log::epoch(&self.updates_log) {
            return Ok(());
        }
        let (next, end) = (row.next_position(), row.updates_position.offset);
        let (worker, after) = self.bars.last_committer(partition);
        let updates = &self.updates_log;
        for record in updates.records_written_by(worker, after, partition, end) {
            let Ok(BarUpdatesTopicRecord::Bars(rows)) =
                schemas::decode_bar_updates_record(&record.value)
            else {
                continue;
            };
            if let Some(row) = rows.iter().find(|row| row.through >= next) {
                return Err(format!(
                    "partition {partition} is stored to {next} with updates to {end}, and the \
                     update at {} has a state through {}",
                    record.offset, row.through
                ));
            }
        }
        Ok(())
    }

    pub fn check_state(&mut self, partition: u32) -> Result<(), String> {
        let log = &self.trades_log;
        let refuses_price = self.bars.refuses_price();
        self.bars.read_stored(|stored| {
            let Some(progress) = stored.progress.get(&partition) else {
                return Ok(());
            };
            let oracle = &mut self.oracles[partition as usize];
            if oracle.next_position() > progress.next_position() {
                *oracle = Oracle::new(partition, PARTITIONS, refuses_price);
            }
            while oracle.epoch < progress.epoch {
                let records = records_in_fold(log, stored, oracle.epoch, partition);
                let rest = records
                    .iter()
                    .skip(usize::try_from(oracle.next_offset).unwrap());
                rest.for_each(|record| oracle.apply(record));
                oracle.start_next_epoch(&self.settings_of_epochs[index_of_epoch(oracle.epoch)]);
            }
            let missing = progress.next_offset - oracle.next_offset;
            let records = log.records_of(oracle.epoch, partition, oracle.next_offset);
            records
                .iter()
                .take(usize::try_from(missing).unwrap())
                .for_each(|record| oracle.apply(record));
            let at = format!("partition {partition} at {}", progress.next_position());
            compare_bars(stored, oracle, partition).map_err(|wrong| format!("{at}: {wrong}"))?;
            compare_marks(stored, oracle, partition).map_err(|wrong| format!("{at}: {wrong}"))?;
            compare_outcomes(stored, oracle, partition).map_err(|wrong| format!("{at}: {wrong}"))
        })
    }

    pub fn check_end(&mut self) -> Result<(), String> {
        for partition in 0..PARTITIONS {
            self.check_state(partition)?;
            self.check_ticks(partition)?;
            self.check_dead_letters(partition)?;
        }
        self.check_trades()?;
        self.check_settings()?;
        self.check_clients()?;
        let (commits, lost) = self.bars.commit_counts();
        self.totals.add_count("commits", commits);
        self.totals.add_count("commits lost", lost);
        self.totals.add_count("turns", self.turn);
        let missed = self.trades_log.missed_reads();
        self.totals.add_count("positions that were dropped", missed);
        Ok(())
    }

    /// Checks that all partitions and all pods agree on the settings of every venue.
    fn check_settings(&self) -> Result<(), String> {
        let rows = |partition| self.bars.read_stored(|stored| stored.venue_rows(partition));
        let settings = |partition| -> BTreeMap<_, _> {
            let rows = rows(partition).into_iter();
            rows.map(|row| (row.venue, row.settings)).collect()
        };
        let ordered = settings(SETTINGS_PARTITION);
        for partition in 0..PARTITIONS {
            let found = settings(partition);
            let folded = self.oracles[partition as usize].venues().iter();
            let folded: BTreeMap<_, _> = folded
                .map(|(venue, declared)| (venue.clone(), declared.settings))
                .collect();
            if found != folded {
                return Err(format!(
                    "partition {partition} has {found:?}, its fold {folded:?}"
                ));
            }
            if found != ordered {
                return Err(format!(
                    "partition {partition} has {found:?}, the one that orders settings {ordered:?}"
                ));
            }
        }
        for pod in &self.pods {
            for (venue, settings) in &ordered {
                let known = pod.producer.known_settings().get(venue.as_str());
                if known.is_some_and(|known| known.settings != *settings) {
                    return Err(format!(
                        "pod {} knows {known:?}, not {settings:?}",
                        pod.number
                    ));
                }
            }
        }
        Ok(())
    }

    /// Checks that every tick is archived, and that all copies of it are equal.
    fn check_ticks(&mut self, partition: u32) -> Result<(), String> {
        let oracle = &self.oracles[partition as usize];
        let mut counted = 0;
        let archived = self.ticks.archived_ticks();
        for (at, outcome) in &oracle.outcomes {
            let offset = format!("{at:?}");
            let rows = archived.get(&(partition, *at));
            let (is_amendment, append_ns) = oracle.appends[at];
            if self.ticks.is_expired(is_amendment, append_ns) {
                self.totals.add_count("expired ticks", 1);
                continue;
            }
            if rows.is_none() && self.lost_ticks_before_epoch > at.epoch {
                continue;
            }
            let is_tick = matches!(outcome, RecordOutcome::Counted | RecordOutcome::Excluded);
            if is_tick != rows.is_some() {
                return Err(format!(
                    "tick {partition}/{offset} is {outcome:?}, archived: {}",
                    rows.is_some()
                ));
            }
            let same = rows.is_none_or(|rows| rows.iter().all(|row| *row == rows[0]));
            if !same {
                return Err(format!(
                    "tick {partition}/{offset} was archived in two versions"
                ));
            }
            counted += u64::from(*outcome == RecordOutcome::Counted);
            self.totals
                .add_count("excluded", u64::from(*outcome == RecordOutcome::Excluded));
        }
        self.totals.add_count("ticks counted", counted);
        let (refolds, in_vain) = oracle.refolds;
        self.totals
            .add_count("amendments", oracle.amendment_count());
        self.totals
            .add_count("pending amendments", oracle.pending_amendment_count());
        self.totals.add_count("refolds", refolds);
        self.totals.add_count("refolds in vain", in_vain);
        self.totals.add_count("left out", oracle.left_out);
        let (amendments, repairs) = oracle.past_horizon;
        self.totals
            .add_count("amendments past the horizon", amendments);
        self.totals.add_count("repairs past the horizon", repairs);
        let emptied = oracle.bars.values().filter(|row| row.bar.trades == 0);
        self.totals
            .add_count("emptied windows", emptied.count() as u64);
        Ok(())
    }

    /// Checks that the trades that REST returns are those of the fold, as far as they are not
    /// deleted. Everything must be folded and archived.
    pub fn check_trades(&mut self) -> Result<(), String> {
        for instrument in self.producer.instruments() {
            let partition = schemas::partition_of(instrument.key().as_bytes(), PARTITIONS);
            self.check_state(partition)?;
            let oracle = &self.oracles[partition as usize];
            let ticks = self.ticks.ticks_of(&instrument, i64::MIN, i64::MAX);
            let venue = instrument.venue().parse().unwrap();
            let read = self.bars.read_stored(|stored| {
                let settings = stored.venues.get(&(partition, venue))?;
                let excluded = stored.all_excluded_ranges(partition);
                let next = stored.progress[&partition].next_position();
                Some(trades_current(ticks, &excluded, next, &settings.settings))
            });
            let values = |trade: &Trade| (trade.price, trade.quantity, trade.side);
            let read = read.unwrap_or_default().into_iter();
            let read: BTreeMap<_, _> = read
                .map(|tick| (tick.position, values(&tick.trade)))
                .collect();
            let expected = oracle.current_trades(&instrument).into_iter();
            let archived = self.ticks.archived_ticks();
            let expected = expected.filter(|(at, _)| {
                let (is_amendment, append_ns) = oracle.appends[at];
                let is_lost = at.epoch < self.lost_ticks_before_epoch
                    && !archived.contains_key(&(partition, *at));
                !is_lost && !self.ticks.is_expired(is_amendment, append_ns)
            });
            let expected: BTreeMap<_, _> =
                expected.map(|(at, trade)| (at, values(&trade))).collect();
            let mut positions = expected.keys().chain(read.keys());
            if let Some(at) = positions.find(|at| expected.get(at) != read.get(at)) {
                return Err(format!(
                    "{instrument} at {at}: REST returns the trade {:?}, the fold has {:?}",
                    read.get(at),
                    expected.get(at)
                ));
            }
        }
        Ok(())
    }

    /// Checks that every rejected record is a dead letter, and that no other record is.
    fn check_dead_letters(&mut self, partition: u32) -> Result<(), String> {
        self.dead_letters_log.sync(partition);
        let rejected = &self.oracles[partition as usize].dead_letters;
        let mut buried = BTreeMap::new();
        for record in self.dead_letters_log.records(partition, 0) {
            let letter = DeadLetter::decode(&record.value).map_err(|error| error.to_string())?;
            buried.insert(letter.position, letter.value);
        }
        let end = self.oracles[partition as usize].next_position();
        let ends = self.bars.read_stored(|stored| stored.epoch_ends(partition));
        buried.retain(|at, _| *at < end && !ends.is_at_or_beyond_end(*at));
        if !buried.keys().eq(rejected) {
            return Err(format!(
                "partition {partition}: {rejected:?} were rejected, {:?} are dead letters",
                buried.keys()
            ));
        }
        for (at, value) in &buried {
            let records = self.trades_log.records_of(at.epoch, partition, at.offset);
            if records[0].value != *value {
                return Err(format!("the dead letter of {partition}/{at:?} is another"));
            }
        }
        self.totals.add_count("dead letters", buried.len() as u64);
        Ok(())
    }

    /// Checks the second invariant: every client shows the bars that REST returns, and has received
    /// only states that those bars had.
    fn check_clients(&mut self) -> Result<(), String> {
        let states = self.all_states();
        for client in &self.clients {
            let partition =
                schemas::partition_of(client.name.instrument.key().as_bytes(), PARTITIONS);
            for received in &client.received {
                let key = state_key(&client.name, received);
                let known = states.get(&key);
                if known.is_none_or(|known| !known.contains(received)) {
                    return Err(format!(
                        "{} received {received:?}, which the bar never was: {:?}",
                        client.name,
                        states.get(&key)
                    ));
                }
            }
            for pod in &self.pods {
                let rows = newest_rows(
                    pod.hub_rows(&client.name)
                        .into_iter()
                        .chain(pod.stored_rows(&client.name)),
                );
                let stored = newest_rows(pod.stored_rows(&client.name));
                if let Some(row) = rows
                    .values()
                    .find(|row| !stored.values().any(|of| of == *row))
                {
                    return Err(format!(
                        "{}: REST of pod {} returns {row:?}, which is not stored",
                        client.name, pod.number
                    ));
                }
                let rest = rows.values().map(|row| BarJson::from_row(row, partition));
                let rest: BTreeMap<String, BarJson> =
                    rest.map(|bar| (bar.start.clone(), bar)).collect();
                let held = client.newest_state_of_each_bar();
                let held: BTreeMap<String, &BarJson> =
                    held.map(|bar| (bar.start.clone(), bar)).collect();
                let starts = rest.keys().chain(held.keys());
                let is_exact = self.oracles[partition as usize].left_out == 0;
                let mut wrong = starts.filter(|start| {
                    let (rest, held) = (rest.get(*start), held.get(*start).copied());
                    !are_equal(rest, held, is_exact)
                });
                if let Some(start) = wrong.next() {
                    return Err(format!(
                        "{}: REST of pod {} returns {:?}, the client shows {:?}; REST has {} bars, \
                         the client {}, {} differ",
                        client.name,
                        pod.number,
                        rest.get(start),
                        held.get(start),
                        rest.len(),
                        held.len(),
                        wrong.count() + 1
                    ));
                }
                let corrected = rest.values().filter(|bar| bar.revision != 0).count();
                self.totals.add_count("corrections", corrected as u64);
            }
            self.totals.add_count("messages", client.messages);
            self.totals.add_count("deltas", client.deltas);
            self.totals.add_count("resumed", client.resumed);
            self.totals.add_count("not recovered", client.not_recovered);
        }
        Ok(())
    }

    /// Returns every state that any bar of a followed channel had between two records.
    ///
    /// This includes the states from records of a generation beyond the offset at which a later
    /// generation was adopted, and of records that the store refuses: they may have been announced
    /// before that is known, although no commit can store them.
    fn all_states(&self) -> States {
        let mut states = BTreeMap::new();
        for partition in 0..PARTITIONS {
            let mut oracle = Oracle::new(partition, PARTITIONS, self.bars.refuses_price());
            let mut refused = Vec::new();
            if self.bars.refuses_price() {
                refused.push(oracle.without_further_refusals());
            }
            for epoch in 1..=self.trades_log.current_epoch() {
                while oracle.epoch < epoch {
                    let settings = &self.settings_of_epochs[index_of_epoch(oracle.epoch)];
                    oracle.start_next_epoch(settings);
                    for refused in &mut refused {
                        refused.start_next_epoch(settings);
                    }
                }
                let records = self.trades_log.records_of(epoch, partition, 0);
                let log = &self.trades_log;
                let of_fold = self
                    .bars
                    .read_stored(|stored| records_in_fold(log, stored, epoch, partition).len());
                for record in &records[..of_fold] {
                    let left_out = oracle.left_out;
                    oracle.apply(record);
                    self.add_states(&oracle, partition, &mut states);
                    for refused in &mut refused {
                        refused.apply(record);
                        self.add_states(refused, partition, &mut states);
                    }
                    // The copies before it have applied the record that was left out.
                    if oracle.left_out > left_out {
                        refused.push(oracle.without_further_refusals());
                    }
                }
                let mut beyond = oracle.clone();
                for record in &records[of_fold..] {
                    beyond.apply(record);
                    self.add_states(&beyond, partition, &mut states);
                }
            }
        }
        states
    }

    /// Adds the states to which the last record changed bars of followed channels.
    fn add_states(&self, oracle: &Oracle, partition: u32, states: &mut States) {
        for (instrument, window) in &oracle.changed {
            let row = &oracle.bars[&(instrument.clone(), *window)];
            let name = ChannelName {
                instrument: instrument.clone(),
                interval: window.interval,
            };
            if self.clients.iter().any(|client| client.name == name) {
                let state = BarJson::from_row(row, partition);
                let known = states.entry(state_key(&name, &state)).or_default();
                if !known.contains(&state) {
                    known.push(state);
                }
            }
        }
    }
}

/// Returns whether REST and a client show the same bar. Where records were left out, the client may
/// have another revision of a closed bar, see decision 16.
fn are_equal(rest: Option<&BarJson>, held: Option<&BarJson>, is_exact: bool) -> bool {
    let (Some(rest), Some(held)) = (rest, held) else {
        return rest == held;
    };
    let same_revision = BarJson {
        revision: rest.revision,
        ..held.clone()
    };
    rest == held || (!is_exact && rest.closed && *rest == same_revision)
}

fn state_key(name: &ChannelName, bar: &BarJson) -> (String, String, Option<PositionJson>) {
    (name.to_string(), bar.start.clone(), bar.through)
}

/// Returns the records of a generation that are part of the fold: all, or those before the offset
/// at which a later generation was adopted.
pub fn records_in_fold(
    log: &SimLog,
    stored: &StoredState,
    epoch: u64,
    partition: u32,
) -> Vec<Record> {
    let mut records = log.records_of(epoch, partition, 0);
    if let Some(end) = stored.switched.get(&(epoch, partition)) {
        records.truncate(usize::try_from(*end).unwrap());
    }
    records
}

/// Returns the index, in the settings of epochs, of those that are in force after `ended`.
fn index_of_epoch(ended: u64) -> usize {
    usize::try_from(ended).unwrap() - 1
}
