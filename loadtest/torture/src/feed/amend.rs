//! Edits and cancels.

use client::Method;
use clock::{Clock, SystemClock};
use market::{Amendment, AmendmentKind, Decimal, Side, Trade, TradeId};
use schemas::TradesRecord;

use super::{Feed, RETRY_AFTER};
use crate::exchange::Deal;
use crate::ledger::{Values, name_of};
use crate::random::Random;
use crate::rest::request;

impl Feed {
    /// Edits a trade that was acknowledged, once or more often, or cancels it.
    pub(super) async fn amend(&self, deal: &Deal, random: &mut Random) {
        if !self.reserve(deal) {
            return;
        }
        loop {
            let kind = match random.one_in(3) {
                true => AmendmentKind::Cancel,
                false => AmendmentKind::Edit,
            };
            self.send_amendment(deal, kind, random).await;
            if kind == AmendmentKind::Cancel || !random.one_in(3) {
                break;
            }
        }
        self.release(deal);
    }

    /// Edits or cancels a trade before it is sent.
    pub(super) async fn amend_ahead(&self, deal: &Deal, random: &mut Random) {
        if !self.reserve(deal) {
            return;
        }
        let kind = match random.one_in(4) {
            true => AmendmentKind::Cancel,
            false => AmendmentKind::Edit,
        };
        self.send_amendment(deal, kind, random).await;
        self.ledger.open().totals.ahead += 1;
        self.release(deal);
    }

    /// False where the trade is cancelled or being amended, or nothing names it.
    fn reserve(&self, deal: &Deal) -> bool {
        if deal.trade.id.is_none() {
            return false;
        }
        let mut book = self.ledger.open();
        let name = name_of(&deal.instrument(), &deal.trade);
        match book.entries.get_mut(&name) {
            Some(entry) if !entry.is_amending && !entry.is_cancelled => {
                entry.is_amending = true;
                true
            }
            _ => false,
        }
    }

    fn release(&self, deal: &Deal) {
        let name = name_of(&deal.instrument(), &deal.trade);
        if let Some(entry) = self.ledger.open().entries.get_mut(&name) {
            entry.is_amending = false;
        }
    }

    /// Sends an edit or a cancel until it is acknowledged, to the pods or, as a program of others
    /// would, to Kafka.
    async fn send_amendment(&self, deal: &Deal, kind: AmendmentKind, random: &mut Random) {
        let mut amended = deal.clone();
        if kind == AmendmentKind::Edit {
            change(&mut amended.trade, random);
        }
        let id = format!("{}-{:016x}", kind.name(), random.next());
        {
            let _open = self.gate.read().await;
            let is_foreign = random.one_in(2);
            // Some come twice.
            for _ in 0..=u8::from(random.one_in(10)) {
                match is_foreign {
                    true => self.amend_in_kafka(&amended, kind, &id).await,
                    false => self.amend_at_pods(&amended, kind, &id).await,
                }
            }
        }
        let name = name_of(&deal.instrument(), &deal.trade);
        let mut book = self.ledger.open();
        match kind {
            AmendmentKind::Edit => book.totals.edits += 1,
            AmendmentKind::Cancel => book.totals.cancels += 1,
        }
        if let Some(entry) = book.entries.get_mut(&name) {
            match kind {
                AmendmentKind::Edit => entry.values = Values::of(&amended.trade),
                AmendmentKind::Cancel => entry.is_cancelled = true,
            }
        }
    }

    async fn amend_in_kafka(&self, amended: &Deal, kind: AmendmentKind, id: &str) {
        let id = TradeId::parse(id).expect("it is visible ASCII");
        let place = None;
        let amendment = Amendment { id, kind, place };
        let mut value = Vec::new();
        TradesRecord::Amendment(amendment, amended.trade.clone()).encode(&mut value);
        let key = amended.instrument();
        let sent = self
            .kafka
            .send(schemas::TRADES, None, key.as_bytes(), &value);
        sent.await;
    }

    /// The same request, to one pod after the other, until one has acknowledged it.
    async fn amend_at_pods(&self, amended: &Deal, kind: AmendmentKind, id: &str) {
        let Deal {
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
                let mut body = amended.json();
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
            let response = request(self.pod(), move |rest| {
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
                    self.journal.note(&format!("refused: {}", response.text()));
                    self.ledger.open().totals.refused += 1;
                    return;
                }
                Ok(_) | Err(_) => {}
            }
            self.ledger.open().totals.retries += 1;
            SystemClock.sleep(RETRY_AFTER).await;
        }
    }
}

/// Gives a trade other values.
fn change(trade: &mut Trade, random: &mut Random) {
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
