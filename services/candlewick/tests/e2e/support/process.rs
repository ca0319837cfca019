//! A running `candlewick standalone`.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

use super::command::binary;
use super::wait::{TIMEOUT, until};
use super::{Finished, TestClient};

/// A running process. It is killed when this is dropped.
pub(crate) struct TestProcess {
    child: Child,
    address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

/// A process that may not listen yet.
pub(crate) struct StartingProcess {
    standalone: TestProcess,
    said: Receiver<SocketAddr>,
}

impl TestProcess {
    /// Starts a process over a data folder, on a free port, and waits until it is ready.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, "127.0.0.1:0", &[])
    }

    /// Starts a process with more options, and waits until it is ready.
    pub(crate) fn start_with(data: &Path, listen: &str, options: &[&str]) -> Self {
        let standalone = Self::spawn(binary(), data, listen, options).wait_listening();
        let client = standalone.client();
        until("readiness", || {
            (client.get("/readyz").status == 200).then_some(())
        });
        standalone
    }

    /// Starts a process without waiting. `command` is the binary, or a program that runs it.
    pub(crate) fn spawn(
        mut command: Command,
        data: &Path,
        listen: &str,
        options: &[&str],
    ) -> StartingProcess {
        command
            .args(["standalone", "--listen", listen, "--data"])
            .arg(data)
            .args(options);
        Self::spawn_command(command)
    }

    /// Starts a command that prints its address as `standalone` does, without waiting.
    pub(crate) fn spawn_command(mut command: Command) -> StartingProcess {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::default();
        let (say, said) = channel();
        let output = child.stdout.take().unwrap();
        let errors = child.stderr.take().unwrap();
        let readers = vec![
            read(output, Arc::clone(&lines), Some(say)),
            read(errors, Arc::clone(&lines), None),
        ];
        StartingProcess {
            standalone: Self {
                child,
                address: SocketAddr::from(([127, 0, 0, 1], 0)),
                lines,
                readers,
            },
            said,
        }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn client(&self) -> TestClient {
        TestClient::new(&self.url())
    }

    /// Returns what the process has printed and logged so far.
    pub(crate) fn output(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn terminate(mut self) -> Finished {
        self.send_sigterm();
        self.wait_end()
    }

    /// Sends SIGTERM without waiting for the end.
    pub(crate) fn send_sigterm(&mut self) {
        self.send_signal(Signal::TERM);
    }

    /// Sends a signal.
    pub(crate) fn send_signal(&self, signal: Signal) {
        let sent = kill_process(Pid::from_child(&self.child), signal);
        assert!(sent.is_ok(), "{sent:?}: {}", self.output());
    }

    /// Waits for the end of the process.
    pub(crate) fn wait_end(mut self) -> Finished {
        let status: ExitStatus = until("the end of the process", || self.child.try_wait().unwrap());
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        Finished {
            code: status.code(),
            text: self.output(),
        }
    }
}

impl StartingProcess {
    /// Waits until the process prints its address.
    pub(crate) fn wait_listening(mut self) -> TestProcess {
        let address = self.said.recv_timeout(TIMEOUT);
        self.standalone.address = address.unwrap_or_else(|_| {
            panic!("it never listened: {}", self.standalone.output());
        });
        self.standalone
    }

    /// Waits for the end of a process whose start has to fail.
    pub(crate) fn wait_end(self) -> Finished {
        self.standalone.wait_end()
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) fn kill(self) {
        self.standalone.kill();
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("the process said:\n{}", self.output());
        }
    }
}

/// Reads the output of a process continuously, so that the process never waits for a full pipe.
fn read(
    pipe: impl Read + Send + 'static,
    lines: Arc<Mutex<Vec<String>>>,
    say: Option<Sender<SocketAddr>>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if let (Some(say), Some(address)) = (&say, address_in(&line)) {
                // Only the first address is awaited.
                let _ = say.send(address);
            }
            lines.lock().unwrap().push(line);
        }
    })
}

/// Returns the address in a line such as `  health   http://127.0.0.1:1234/readyz`.
fn address_in(line: &str) -> Option<SocketAddr> {
    let url = line.trim().strip_prefix("health")?.trim();
    url.strip_prefix("http://")?.split('/').next()?.parse().ok()
}
