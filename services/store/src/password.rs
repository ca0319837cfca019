//! Passwords, which come in files and are never printed.

use std::path::Path;

use crate::StoreError;

/// The password in a file, without the line's end.
pub(crate) fn password(path: &Path) -> Result<String, StoreError> {
    let text = std::fs::read_to_string(path).map_err(|error| StoreError::Unavailable {
        store: format!("the password file {}", path.display()),
        reason: error.to_string(),
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
