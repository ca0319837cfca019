//! A Redis that answers and takes no writes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::bars::{send, wait_counted};
use crate::cluster::{TestCluster, unready_reason, wait_for_reason};
use crate::support::{Finished, until};

/// A Redis that one test has to itself.
struct OwnRedis {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl OwnRedis {
    /// Starts a server on a free port. Another process may take the port first; then another one is
    /// tried.
    fn start() -> Self {
        until("Redis on a port of its own", Self::try_start)
    }

    /// Starts a server. Returns `None` if another process has its port.
    fn try_start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("redis-server");
        symlink(find_program(), &program).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let process = Command::new(program)
            .args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--port",
                &port.to_string(),
            ])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut redis = Self {
            process,
            port,
            _folder: folder,
        };
        until("Redis", || {
            let has_ended = redis.process.try_wait().unwrap().is_some();
            (has_ended || redis.answers()).then_some(())
        });
        // The server on the port may be another one than this, whose start has failed then.
        let own = format!("process_id:{}", redis.process.id());
        redis.server_info().contains(&own).then_some(redis)
    }

    fn answers(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    /// Returns what the server on the port says about itself; nothing if it does not answer.
    fn server_info(&self) -> String {
        let mut info = String::new();
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            // A server that is none of Redis may close the connection.
            let _ = stream.write_all(b"INFO server\r\nQUIT\r\n");
            let _ = stream.read_to_string(&mut info);
        }
        info
    }

    /// Sends a command, which must succeed.
    fn command(&self, command: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .write_all(format!("{command}\r\n").as_bytes())
            .unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        assert!(answer.starts_with("+OK"), "{command}: {answer}");
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the server's program. Debian's redis-check-rdb is the same program, which acts by the
/// name that it is called with.
fn find_program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let names = ["redis-server", "redis-check-rdb"];
    let mut programs = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    programs
        .find(|program| program.is_file())
        .expect("redis-tools is installed")
}

#[test]
fn a_redis_that_takes_no_writes_is_named_once_and_leaves_the_process_ready() {
    let cluster = TestCluster::new("nowrites");
    let redis = OwnRedis::start();
    let url = format!("redis://127.0.0.1:{}", redis.port);
    let aggregator = cluster.start("aggregator", &["--redis-url", &url]);
    let api = cluster.start_ready("api");
    let client = api.client();
    let mut sent = 1;
    let mut send_some = || {
        send(&client, sent..sent + 2);
        sent += 2;
        wait_counted(&client, sent - 1);
    };
    send_some();
    for (refuse, part, restore) in [
        ("CONFIG SET maxmemory 1", "OOM", "CONFIG SET maxmemory 0"),
        ("REPLICAOF 127.0.0.1 9", "READONLY", "REPLICAOF NO ONE"),
    ] {
        redis.command(refuse);
        send_some();
        let reason = wait_for_reason(&aggregator, "redis", "prices are not written");
        println!("{reason}");
        assert!(reason.to_uppercase().contains(part), "{reason}");
        assert_eq!(aggregator.client().get("/readyz").status, 200);
        send_some();
        redis.command(restore);
        until("writes", || {
            unready_reason(&aggregator, "redis").is_none().then_some(())
        });
    }
    let Finished { code, text } = aggregator.terminate();
    assert_eq!(code, Some(0), "{text}");
    let named = text
        .lines()
        .filter(|line| line.contains("prices are not written"));
    assert_eq!(named.count(), 2, "{text}");
    api.terminate().success();
}
