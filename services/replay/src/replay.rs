//! A whole run, from the command line to the report.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::arguments::ReplayArgs;
use crate::conflicts::ConflictCounter;
use crate::open_tapes::{digest_tapes, open_tapes};
use crate::pipeline::ReplayPipeline;
use crate::progress::ProgressDisplay;
use crate::reader_thread::ReaderThread;
use crate::report::ReplayReport;
use crate::resume_file::state_folder;
use crate::resume_point::ResumePoint;
use crate::server_connection::{RetrySettings, ServerConnection};
use crate::tape::Tape;
use crate::thread_timer::ThreadTimer;
use crate::unpack::ByteCounter;

/// Runs `candlewick replay`: sends the tapes and prints the report.
///
/// # Errors
/// If a file cannot be read, the server does not answer for too long, or it rejects a whole
/// request.
pub fn run(arguments: ReplayArgs) -> anyhow::Result<ExitCode> {
    let folder = state_folder(std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME"));
    let report = replay_tapes(&arguments, folder.as_deref())?;
    drop(arguments);
    Ok(print_report(&report))
}

/// Opens and sends the tapes. Saves how far the run got in `state_folder`, if there is one.
pub(crate) fn replay_tapes(
    arguments: &ReplayArgs,
    state_folder: Option<&Path>,
) -> anyhow::Result<ReplayReport> {
    let tapes = digest_tapes(&arguments.files)?;
    let timer = ThreadTimer::new().context("cannot create a timer")?;
    let bytes_read = ByteCounter::default();
    let (merged_tapes, id_scheme_and_scope) = open_tapes(arguments, &tapes, &bytes_read)?;
    let total_bytes = tapes.iter().map(|tape| tape.size_bytes).sum();
    let (progress, messages) =
        ProgressDisplay::new(total_bytes, arguments.no_progress, timer.now());
    let stop = CancellationToken::new();
    let settings = RetrySettings {
        give_up: arguments.give_up,
        messages: &messages,
        stop: &stop,
    };
    let server = arguments.server.clone();
    let connection = ServerConnection::connect(server, id_scheme_and_scope, settings, &timer)?;
    let log_id = connection.log_id();
    let resume_point =
        ResumePoint::load(state_folder, arguments, &tapes, id_scheme_and_scope, log_id);
    resume_point.report_resuming(&messages, arguments.server.base_url());
    let reader = ReaderThread {
        merged_tapes,
        trades_to_skip: resume_point.sent_before.trades,
        chunk_trades: arguments.batch as usize,
        speed: arguments.speed,
        bytes_read,
    };
    let pipeline = ReplayPipeline {
        connection: &connection,
        timer: &timer,
        messages: &messages,
        stop: &stop,
        tape_count: tapes.len(),
    };
    let tape_names = tapes.iter().map(Tape::file_name).collect();
    let connections = arguments.connections;
    send_tapes(
        &pipeline,
        reader,
        connections,
        resume_point,
        progress,
        tape_names,
    )
}

/// Runs the threads to the end, and returns the report.
fn send_tapes(
    pipeline: &ReplayPipeline<'_>,
    reader: ReaderThread,
    connections: u32,
    mut resume_point: ResumePoint,
    progress: ProgressDisplay,
    tape_names: Vec<String>,
) -> anyhow::Result<ReplayReport> {
    let begin = pipeline.timer.now();
    let (counts, read) = pipeline.run(reader, connections, &mut resume_point, progress)?;
    resume_point.remove_file(pipeline.messages);
    let counter = ConflictCounter {
        connection: pipeline.connection,
        timer: pipeline.timer,
        messages: pipeline.messages,
        stop: pipeline.stop,
        appended: &counts.appended,
    };
    let duration = pipeline.timer.now().saturating_sub(begin);
    let conflicts = counter.count(&read.symbols);
    Ok(ReplayReport {
        conflicts: conflicts.map_err(|error| format!("{error:#}")),
        tape_names,
        bad_lines: read.bad_lines,
        rejected: counts.rejected,
        sent: counts.sent,
        skipped: read.skipped,
        sent_before: resume_point.sent_before,
        duration,
    })
}

/// Prints the problems to standard error and the table to standard output.
fn print_report(report: &ReplayReport) -> ExitCode {
    eprint!("{}", report.problem_lines());
    // A closed standard output does not change the outcome.
    let _ = std::io::stdout().write_all(report.table().as_bytes());
    match report.is_clean() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
