//! The operations of the API that tools use.

use market::{IdScheme, IdScope, Symbol, Venue};
use schemas::TradesBatch;
use schemas::api::{
    DuplicatePageJson, RejectedSubmissionProblemJson, RepairResponseJson, SubmissionResponseJson,
    VenueSettingsJson, VersionJson,
};
use serde_json::json;

use ureq::http::Method;

use super::RestClient;
use super::error::RestError;
use super::list_duplicates_request::ListDuplicatesRequest;

impl RestClient {
    /// Returns the version of the process and the identity of its log.
    ///
    /// # Errors
    /// [`RestError`], which says whether the same request may succeed later.
    pub fn get_version(&self) -> Result<VersionJson, RestError> {
        let response = self.get("/api/v1/version")?;
        if response.status != 200 {
            return Err(response.to_error());
        }
        response.json()
    }

    /// Declares how a venue numbers its trades. Its other settings do not change. Returns all its
    /// settings.
    ///
    /// # Errors
    /// [`RestError`], which says whether the same request may succeed later.
    pub fn declare_venue(
        &self,
        venue: &Venue,
        scheme: IdScheme,
        scope: IdScope,
    ) -> Result<VenueSettingsJson, RestError> {
        let path = format!("/api/v1/venues/{venue}/settings");
        let settings = json!({
            "id_scheme": scheme.name(),
            "id_scope": scope.name(),
        });
        let response = self.put_json(&path, &settings.to_string())?;
        match response.status {
            200 => response.json(),
            _ => Err(response.to_error()),
        }
    }

    /// Requests that the minutes of `[start, end)` be refolded from their ticks.
    ///
    /// # Errors
    /// [`RestError`], which says whether the same request may succeed later.
    pub fn request_repair(
        &self,
        venue: &Venue,
        symbol: &Symbol,
        start: &str,
        end: &str,
        force: bool,
    ) -> Result<RepairResponseJson, RestError> {
        let range = json!({
            "venue": venue.as_str(),
            "symbol": symbol.as_str(),
            "start": start,
            "end": end,
            "force": force,
        });
        let response = self.post_json("/api/v1/repairs", &range.to_string())?;
        match response.status {
            202 => response.json(),
            _ => Err(response.to_error()),
        }
    }

    /// Returns one page of the later deliveries of trades.
    ///
    /// # Errors
    /// [`RestError`], which says whether the same request may succeed later.
    pub fn list_duplicates(
        &self,
        request: &ListDuplicatesRequest<'_>,
    ) -> Result<DuplicatePageJson, RestError> {
        let response = self.get(&request.to_path())?;
        match response.status {
            200 => response.json(),
            _ => Err(response.to_error()),
        }
    }

    /// Sends an encoded [`TradesBatch`] and waits until the log holds the trades that it accepts.
    ///
    /// # Errors
    /// [`RestError`], which says whether the same request may succeed later.
    pub fn send_trades_batch(&self, batch: &[u8]) -> Result<SubmissionResponseJson, RestError> {
        let headers = [("content-type", TradesBatch::CONTENT_TYPE)];
        let response = self.send(&Method::POST, "/api/v1/trades", &headers, Some(batch))?;
        match response.status {
            200 => response.json(),
            422 => {
                // Every trade was rejected.
                let submission = response.json::<RejectedSubmissionProblemJson>();
                let submission = submission.map_err(|_| response.to_error())?;
                Ok(SubmissionResponseJson {
                    accepted: 0,
                    rejected_total: submission.rejected_total,
                    rejected: submission.rejected,
                    appended: Vec::new(),
                })
            }
            _ => Err(response.to_error()),
        }
    }
}
