//! The new values of a trade.

use market::{Trade, TradeId};

use crate::problem::{ErrorCode, Problem};
use crate::raw_object::{MemberFault, RawObject};
use crate::submit::{ElementFault, VALUE_NAMES, parse_values};

/// Reads the body of an edit of the trade that the path calls `trade_name`. The body may repeat the
/// id; an id that differs from the path's is an error.
///
/// # Errors
/// A [`Problem`] that names the member at fault.
pub(super) fn read_values(body: &[u8], trade_name: &str) -> Result<Trade, Problem> {
    let invalid = |detail: String| {
        Problem::new(ErrorCode::InvalidBody, detail).accepted("the trade's values as a JSON object")
    };
    let text = std::str::from_utf8(body).map_err(|error| invalid(error.to_string()))?;
    let object =
        RawObject::parse(text, &VALUE_NAMES).map_err(|error| invalid(error.to_string()))?;
    match &object.fault {
        None => {}
        Some(MemberFault::Unknown(name)) => {
            let detail = format!("{name:?} is not a value of a trade");
            return Err(Problem::new(ErrorCode::UnknownParameter, detail)
                .field(name.as_str())
                .accepted(VALUE_NAMES.join(", ")));
        }
        Some(MemberFault::Repeated(name)) => {
            let detail = format!("{name} is given twice");
            return Err(Problem::invalid_parameter(name, detail, "one value"));
        }
    }
    let values = std::array::from_fn(|index| object.value(index));
    let trade = parse_values(&values).map_err(value_problem)?;
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
pub(super) fn value_problem(fault: ElementFault) -> Problem {
    Problem::new(ErrorCode::InvalidParameter, fault.message)
        .field(fault.field)
        .reason(fault.code.name())
}
