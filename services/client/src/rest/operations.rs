//! The operations of the API that tools use.

use market::{IdScheme, IdScope, Symbol, Venue};
use schemas::TradesBatch;
use serde::Deserialize;
use serde_json::json;

use super::{Method, RestClient, RestError};

/// The response to a request that sent trades.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TradesResponse {
    /// The number of trades that the log holds now.
    #[serde(default)]
    pub accepted: u64,
    /// The first of the other trades, ascending by index.
    pub rejected: Vec<Rejection>,
    /// The number of the other trades, including those that `rejected` does not list.
    #[serde(default)]
    rejected_total: u64,
}

impl TradesResponse {
    /// Returns the number of trades that were rejected.
    #[must_use]
    pub fn rejected_count(&self) -> u64 {
        // A server that lists them all may send no total.
        self.rejected_total.max(self.rejected.len() as u64)
    }
}

/// Why a trade was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Rejection {
    /// The index of the trade in the request.
    pub index: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// The response to a request that repairs minutes.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
pub struct RepairResponse {
    /// The number of records that were appended to the log.
    pub records: u64,
    /// The number of minutes that these records mark to be refolded.
    pub minutes: u64,
    /// The number of minutes that are too old to change.
    pub beyond_horizon: u64,
}

impl RepairResponse {
    /// Adds the counts of another response.
    pub const fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.minutes += other.minutes;
        self.beyond_horizon += other.beyond_horizon;
    }
}

#[derive(Deserialize)]
struct Version {
    log_id: String,
}

impl RestClient {
    /// Returns the identity of the process's log.
    ///
    /// # Errors
    /// [`RestError`], which says whether the same request may succeed later.
    pub fn log_id(&self) -> Result<String, RestError> {
        let response = self.get("/api/v1/version")?;
        if response.status != 200 {
            return Err(response.to_error());
        }
        let version: Version = response.json()?;
        Ok(version.log_id)
    }

    /// Declares how a venue numbers its trades. Its other settings do not change.
    ///
    /// # Errors
    /// [`RestError`], which says whether the same request may succeed later.
    pub fn declare_venue(
        &self,
        venue: &Venue,
        scheme: IdScheme,
        scope: IdScope,
    ) -> Result<(), RestError> {
        let path = format!("/api/v1/venues/{venue}/settings");
        let settings = json!({
            "id_scheme": scheme.name(),
            "id_scope": scope.name(),
        });
        let response = self.put_json(&path, &settings.to_string())?;
        match response.status {
            200 | 201 | 204 => Ok(()),
            409 => {
                let reason = response.to_error();
                let hint =
                    "say so with --id-scheme and --id-scope, or send the tapes as another --venue";
                Err(RestError::Permanent(format!("{reason}; {hint}")))
            }
            _ => Err(response.to_error()),
        }
    }

    /// Requests that the minutes of `[start, end)` be refolded from their ticks.
    ///
    /// # Errors
    /// [`RestError`], which says whether the same request may succeed later.
    pub fn repair(
        &self,
        venue: &Venue,
        symbol: &Symbol,
        start: &str,
        end: &str,
    ) -> Result<RepairResponse, RestError> {
        let range = json!({
            "venue": venue.as_str(),
            "symbol": symbol.as_str(),
            "start": start,
            "end": end,
        });
        let response = self.post_json("/api/v1/repairs", &range.to_string())?;
        match response.status {
            202 => response.json(),
            _ => Err(response.to_error()),
        }
    }

    /// Sends an encoded [`TradesBatch`] and waits until the log holds its trades.
    ///
    /// # Errors
    /// [`RestError`], which says whether the same request may succeed later.
    pub fn send_trades(&self, batch: &[u8]) -> Result<TradesResponse, RestError> {
        let headers = [("content-type", TradesBatch::CONTENT_TYPE)];
        let response = self.send(&Method::POST, "/api/v1/trades", &headers, Some(batch))?;
        match response.status {
            200 => response.json(),
            // Every trade was rejected: a problem that lists the reasons.
            422 => response.json().map_err(|_| response.to_error()),
            413 => {
                let reason = response.to_error();
                Err(RestError::Permanent(format!(
                    "{reason}; a smaller --batch would fit"
                )))
            }
            _ => Err(response.to_error()),
        }
    }
}
