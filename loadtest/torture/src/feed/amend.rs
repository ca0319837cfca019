//! Edits and cancels.

use market::{Amendment, AmendmentKind, Decimal, Side, Trade, TradeId};
use schemas::TradesRecord;

use super::Feed;
use crate::exchange::Deal;
use crate::ledger::{Values, name_of};
use crate::random::Random;

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

    async fn send_amendment(&self, deal: &Deal, kind: AmendmentKind, random: &mut Random) {
        let mut trade = deal.trade.clone();
        if kind == AmendmentKind::Edit {
            change(&mut trade, random);
        }
        let id = format!("{}-{:016x}", kind.name(), random.next());
        let Ok(id) = TradeId::parse(&id) else {
            return;
        };
        let place = None;
        let record = TradesRecord::Amendment(Amendment { id, kind, place }, trade.clone());
        let mut value = Vec::new();
        record.encode(&mut value);
        let key = deal.instrument();
        {
            let _open = self.gate.read().await;
            // Some come twice.
            for _ in 0..=u8::from(random.one_in(10)) {
                self.kafka
                    .send(schemas::TRADES, None, key.as_bytes(), &value)
                    .await;
            }
        }
        let mut book = self.ledger.open();
        match kind {
            AmendmentKind::Edit => book.totals.edits += 1,
            AmendmentKind::Cancel => book.totals.cancels += 1,
        }
        if let Some(entry) = book.entries.get_mut(&name_of(&key, &deal.trade)) {
            match kind {
                AmendmentKind::Edit => entry.values = Values::of(&trade),
                AmendmentKind::Cancel => entry.is_cancelled = true,
            }
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
