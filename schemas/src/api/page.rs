//! Lists that are read page by page.

use serde::{Deserialize, Serialize};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageJson<T> {
    /// The elements of the page, in the list's order.
    pub data: Vec<T>,
    /// The value of the parameter `cursor` that requests the next page; `null` at the list's end.
    pub next_cursor: Option<String>,
}
