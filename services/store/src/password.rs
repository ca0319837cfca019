//! Passwords, which are read from files and never printed.

use std::path::Path;

use crate::StoreError;

/// Reads the password in a file, without the line ending.
pub(crate) fn read_password(path: &Path) -> Result<String, StoreError> {
    let text = std::fs::read_to_string(path).map_err(|error| StoreError::Unavailable {
        store: format!("the password file {}", path.display()),
        reason: error.to_string(),
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
