//! The processes under test, each restarted whenever it ends, as Kubernetes does.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use clock::{Clock, SystemClock};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::journal::{Journal, lock};

/// How long after its end a process is restarted.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// The role of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RoleKind {
    Aggregator,
    Archiver,
    Api,
}

impl RoleKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Aggregator => "aggregator",
            Self::Archiver => "archiver",
            Self::Api => "api",
        }
    }
}

/// A process that is restarted whenever it ends.
#[derive(Debug)]
pub(crate) struct RestartingProcess {
    pub(crate) kind: RoleKind,
    pub(crate) name: String,
    pub(crate) port: u16,
    arguments: Vec<String>,
    pid: Mutex<Option<Pid>>,
    /// How often the process ended without being killed.
    pub(crate) ends: AtomicU64,
    is_killed: AtomicBool,
    is_stopping: AtomicBool,
}

impl RestartingProcess {
    pub(crate) fn new(kind: RoleKind, number: u16, port: u16, arguments: &[String]) -> Arc<Self> {
        let mut all = vec![kind.name().to_owned()];
        all.extend(["--listen".to_owned(), format!("127.0.0.1:{port}")]);
        all.extend_from_slice(arguments);
        Arc::new(Self {
            kind,
            name: format!("{}-{number}", kind.name()),
            port,
            arguments: all,
            pid: Mutex::new(None),
            ends: AtomicU64::new(0),
            is_killed: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
        })
    }

    /// Starts the process, and restarts it until [`RestartingProcess::stop`] is called.
    pub(crate) async fn keep_running(self: Arc<Self>, binary: PathBuf, journal: Arc<Journal>) {
        while !self.is_stopping.load(Ordering::Acquire) {
            let ended = async {
                let mut child = self.spawn(&binary, journal.folder())?;
                let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
                *lock(&self.pid) = pid;
                let ended = child.wait().await;
                *lock(&self.pid) = None;
                anyhow::Ok(ended?)
            };
            let ended = ended.await;
            if !self.is_killed.swap(false, Ordering::AcqRel)
                && !self.is_stopping.load(Ordering::Acquire)
            {
                self.ends.fetch_add(1, Ordering::Relaxed);
                match ended {
                    Ok(status) => {
                        journal.write_event(&format!("{} ended by itself: {status}", self.name));
                    }
                    Err(error) => {
                        journal.write_event(&format!("{}: {error:#}", self.name));
                    }
                }
            }
            SystemClock.sleep(RESTART_DELAY).await;
        }
    }

    fn spawn(&self, binary: &Path, log_folder: &Path) -> anyhow::Result<Child> {
        let path = log_folder.join(format!("{}.log", self.name));
        let log = OpenOptions::new().create(true).append(true).open(path)?;
        let mut command = command_without_configuration(binary);
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        let child = command.spawn();
        child.with_context(|| format!("cannot run {}", binary.display()))
    }

    /// Sends SIGKILL. The process is restarted.
    pub(crate) fn kill(&self) -> anyhow::Result<()> {
        self.is_killed.store(true, Ordering::Release);
        self.send_signal(Signal::KILL)
    }

    /// Sends SIGSTOP.
    pub(crate) fn freeze(&self) -> anyhow::Result<()> {
        self.send_signal(Signal::STOP)
    }

    /// Sends SIGCONT.
    pub(crate) fn thaw(&self) -> anyhow::Result<()> {
        self.send_signal(Signal::CONT)
    }

    /// Sends SIGTERM. The process is not restarted.
    pub(crate) fn stop(&self) -> anyhow::Result<()> {
        self.is_stopping.store(true, Ordering::Release);
        self.send_signal(Signal::CONT)?;
        self.send_signal(Signal::TERM)
    }

    pub(crate) fn is_running(&self) -> bool {
        lock(&self.pid).is_some()
    }

    /// Sends a signal if the process runs.
    fn send_signal(&self, signal: Signal) -> anyhow::Result<()> {
        let Some(pid) = *lock(&self.pid) else {
            return Ok(());
        };
        match kill_process(pid, signal) {
            // The process may have ended just now.
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error).context(format!("cannot signal {}", self.name)),
        }
    }
}

/// Returns a command of the binary without the environment variables that configure it.
pub(crate) fn command_without_configuration(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CANDLEWICK_") {
            command.env_remove(name);
        }
    }
    command
}

/// Returns the path of the binary: the given one, or the one next to this program.
pub(crate) fn find_binary(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    let path = match given {
        Some(path) => path.to_owned(),
        None => std::env::current_exe()?.with_file_name("candlewick"),
    };
    if !path.is_file() {
        bail!(
            "there is no {}; build it, or name it with --binary",
            path.display()
        );
    }
    Ok(path)
}
