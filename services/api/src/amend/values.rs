//! The new values of a trade.

use market::{Trade, TradeId};

use crate::object_body::{ExpectedObjectDescription, parse_object_body};
use crate::problem::{ErrorCode, Problem};
use crate::submit::{ElementFault, VALUE_NAMES, parse_trade_values};

/// Reads the body of an edit of the trade that the path calls `trade_name`. The body may repeat the
/// id; an id that differs from the path's is an error.
///
/// # Errors
/// A [`Problem`] that names the member at fault.
pub(super) fn parse_edited_trade(body: &[u8], trade_name: &str) -> Result<Trade, Problem> {
    let expected = ExpectedObjectDescription {
        object: "the trade's values as a JSON object",
        member: "a value of a trade",
    };
    let object = parse_object_body(body, &VALUE_NAMES, &expected)?;
    let values = std::array::from_fn(|index| object.value(index));
    let trade = parse_trade_values(&values).map_err(problem_of_fault)?;
    if let Some(id) = &trade.id
        && TradeId::parse(trade_name).as_ref() != Ok(id)
    {
        let detail = format!("the body is of the trade {id}, the path of {trade_name}");
        return Err(Problem::invalid_parameter(
            "id",
            detail,
            "the path's id, or none",
        ));
    }
    Ok(trade)
}

/// Returns a faulty value as a problem.
pub(super) fn problem_of_fault(fault: ElementFault) -> Problem {
    Problem::new(ErrorCode::InvalidParameter, fault.message)
        .with_field(fault.field)
        .with_reason(fault.code.name())
}
