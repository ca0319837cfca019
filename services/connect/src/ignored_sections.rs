//! The sections of a configuration file that a role does not use.

use host::ErrorCollectingConfigReader;

/// The sections of the file that configure servers. Roles may share a file: each uses some of the
/// sections and ignores the others.
const SERVER_SECTIONS: [&str; 5] = ["kafka", "timescaledb", "clickhouse", "redis", "breaker"];

/// Makes the reader ignore the sections of all servers but those that the role uses.
pub fn ignore_server_sections_except(reader: &mut ErrorCollectingConfigReader, used: &[&str]) {
    for section in SERVER_SECTIONS {
        if !used.contains(&section) {
            reader.ignore_section(section);
        }
    }
}
