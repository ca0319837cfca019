//! Edits and cancels.

use client::Method;
use clock::{Clock, SystemClock};
use market::{Amendment, AmendmentKind, Decimal, Side, Trade, TradeId};
use schemas::TradesTopicRecord;

use super::{RETRY_DELAY, TradeFeed};
use crate::random::Random;
use crate::rest::send_blocking_request;
use crate::sent_trades::{TradeValues, trade_name};
use crate::trade_source::VenueTrade;

impl TradeFeed {
    /// Edits an acknowledged trade, once or several times, or cancels it.
    pub(super) async fn amend_acknowledged(&self, venue_trade: &VenueTrade, random: &mut Random) {
        if !self.try_begin_amending(venue_trade) {
            return;
        }
        loop {
            let kind = match random.one_in(3) {
                true => AmendmentKind::Cancel,
                false => AmendmentKind::Edit,
            };
            self.send_random_amendment(venue_trade, kind, random).await;
            if kind == AmendmentKind::Cancel || !random.one_in(3) {
                break;
            }
        }
        self.end_amending(venue_trade);
    }

    /// Edits or cancels a trade before it is sent.
    pub(super) async fn send_amendment_before_trade(
        &self,
        venue_trade: &VenueTrade,
        random: &mut Random,
    ) {
        if !self.try_begin_amending(venue_trade) {
            return;
        }
        let kind = match random.one_in(4) {
            true => AmendmentKind::Cancel,
            false => AmendmentKind::Edit,
        };
        self.send_random_amendment(venue_trade, kind, random).await;
        self.sent_trades.lock().totals.ahead += 1;
        self.end_amending(venue_trade);
    }

    /// Marks a trade as being amended; returns false if it is cancelled, is being amended already,
    /// or has no id.
    fn try_begin_amending(&self, venue_trade: &VenueTrade) -> bool {
        if venue_trade.trade.id.is_none() {
            return false;
        }
        let mut state = self.sent_trades.lock();
        let name = trade_name(&venue_trade.instrument_key(), &venue_trade.trade);
        match state.trades.get_mut(&name) {
            Some(entry) if !entry.is_amending && !entry.is_cancelled => {
                entry.is_amending = true;
                true
            }
            _ => false,
        }
    }

    fn end_amending(&self, venue_trade: &VenueTrade) {
        let name = trade_name(&venue_trade.instrument_key(), &venue_trade.trade);
        if let Some(entry) = self.sent_trades.lock().trades.get_mut(&name) {
            entry.is_amending = false;
        }
    }

    /// Sends an edit or a cancel until it is acknowledged, to the pods or, like a foreign producer,
    /// directly to Kafka.
    async fn send_random_amendment(
        &self,
        venue_trade: &VenueTrade,
        kind: AmendmentKind,
        random: &mut Random,
    ) {
        let mut amended = venue_trade.clone();
        if kind == AmendmentKind::Edit {
            randomize_values(&mut amended.trade, random);
        }
        let id = format!("{}-{:016x}", kind.name(), random.next_u64());
        {
            let _open = self.gate.read().await;
            let is_foreign = random.one_in(2);
            // Some are sent twice.
            for _ in 0..=u8::from(random.one_in(10)) {
                match is_foreign {
                    true => self.send_amendment_to_kafka(&amended, kind, &id).await,
                    false => {
                        self.send_amendment_to_a_pod_with_retries(&amended, kind, &id)
                            .await;
                    }
                }
            }
        }
        let name = trade_name(&venue_trade.instrument_key(), &venue_trade.trade);
        let mut state = self.sent_trades.lock();
        match kind {
            AmendmentKind::Edit => state.totals.edits += 1,
            AmendmentKind::Cancel => state.totals.cancels += 1,
        }
        if let Some(entry) = state.trades.get_mut(&name) {
            match kind {
                AmendmentKind::Edit => entry.values = TradeValues::from_trade(&amended.trade),
                AmendmentKind::Cancel => entry.is_cancelled = true,
            }
        }
    }

    pub(super) async fn send_amendment_to_kafka(
        &self,
        amended: &VenueTrade,
        kind: AmendmentKind,
        id: &str,
    ) {
        let id = TradeId::parse(id).expect("it is visible ASCII");
        let target_position = None;
        let amendment = Amendment {
            id,
            kind,
            target_position,
        };
        let mut value = Vec::new();
        TradesTopicRecord::Amendment(amendment, amended.trade.clone()).encode(&mut value);
        let key = amended.instrument_key();
        let sent =
            self.kafka
                .send_until_acknowledged(schemas::TRADES, None, key.as_bytes(), &value);
        sent.await;
    }

    /// Sends the same request to each pod in turn, until one accepts it or rejects it permanently.
    pub(super) async fn send_amendment_to_a_pod_with_retries(
        &self,
        amended: &VenueTrade,
        kind: AmendmentKind,
        id: &str,
    ) {
        let VenueTrade {
            venue,
            symbol,
            trade,
            ..
        } = amended;
        let named = trade.id.as_ref().map(ToString::to_string);
        let path = format!(
            "/api/v1/trades/{venue}/{symbol}/{}",
            named.unwrap_or_default()
        );
        let (query, body) = match kind {
            AmendmentKind::Edit => {
                let mut body = amended.to_json();
                if let Some(body) = body.as_object_mut() {
                    body.retain(|field, _| field != "venue" && field != "symbol");
                }
                (String::new(), Some(body.to_string()))
            }
            AmendmentKind::Cancel => {
                let scope = trade
                    .scope
                    .as_deref()
                    .map(|scope| format!("&scope={scope}"));
                let scope = scope.unwrap_or_default();
                (format!("?time={}{scope}", trade.time_ns), None)
            }
        };
        loop {
            let (path, id, body) = (format!("{path}{query}"), id.to_owned(), body.clone());
            let response = send_blocking_request(self.next_pod_client(), move |rest| {
                let key = ("idempotency-key", id.as_str());
                match &body {
                    Some(body) => {
                        let headers = [("content-type", "application/json"), key];
                        rest.send(&Method::PUT, &path, &headers, Some(body.as_bytes()))
                    }
                    None => rest.send(&Method::DELETE, &path, &[key], None),
                }
            });
            match response.await {
                Ok(response) if response.status == 202 => return,
                Ok(response) if (400..500).contains(&response.status) => {
                    self.journal
                        .write_event(&format!("refused: {}", response.text()));
                    self.sent_trades.lock().totals.refused += 1;
                    return;
                }
                Ok(_) | Err(_) => {}
            }
            self.sent_trades.lock().totals.retries += 1;
            SystemClock.sleep(RETRY_DELAY).await;
        }
    }
}

/// Gives a trade other random values.
pub(super) fn randomize_values(trade: &mut Trade, random: &mut Random) {
    let mantissa = i64::try_from(random.between(1, 3_000_000)).unwrap_or(1);
    trade.price = Decimal::new(mantissa, 4).expect("it has few digits");
    if random.one_in(2) {
        let mantissa = i64::try_from(random.between(0, 500_000)).unwrap_or(1);
        trade.quantity = Decimal::new(mantissa, 3).ok();
    }
    if random.one_in(3) {
        trade.side = *random.choose(&[Some(Side::Buy), Some(Side::Sell), None]);
    }
}
