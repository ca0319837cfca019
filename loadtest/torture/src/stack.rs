//! The servers, which the scripts in `scripts/stack` start and stop.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::process::Command;

/// A running instance of the servers.
#[derive(Debug)]
pub(crate) struct ServerStack {
    scripts: PathBuf,
    name: String,
    folder: String,
    /// The addresses, by environment variable.
    addresses: HashMap<String, String>,
    /// The first port of the instance's block of ports.
    first_port: u16,
}

/// The first offsets in the instance's block of ports that the servers do not use.
pub(crate) const ROLE_PORTS: u16 = 13;
pub(crate) const PROXY_PORTS: u16 = 36;

/// Returns the scripts of the checkout that contains the working directory. The path at compile
/// time may no longer exist.
fn find_stack_scripts() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let mut folders = here.ancestors().map(|folder| folder.join("scripts/stack"));
    folders.find(|scripts| scripts.join("stack.sh").is_file())
}

impl ServerStack {
    /// Returns an instance whose servers may or may not run. Nothing is known of it but its name.
    pub(crate) fn without_addresses(name: &str) -> anyhow::Result<Self> {
        let scripts = find_stack_scripts().context(
            "the scripts of the stack are missing: run this in a checkout of Candlewick, where \
             scripts/stack is",
        )?;
        Ok(Self {
            scripts,
            name: name.to_owned(),
            folder: String::new(),
            addresses: HashMap::new(),
            first_port: 0,
        })
    }

    /// Stops the servers of an instance of this name and deletes their data, then starts new ones.
    pub(crate) async fn reset_and_start(name: &str, brokers: u32) -> anyhow::Result<Self> {
        let mut stack = Self::without_addresses(name)?;
        stack.run_stack_script(&["reset"], brokers).await?;
        stack.run_stack_script(&["up"], brokers).await?;
        let told = stack.run_stack_script(&["env"], brokers).await?;
        for line in told.lines() {
            let setting = line.strip_prefix("export ").unwrap_or(line);
            if let Some((variable, value)) = setting.split_once('=') {
                // The shell quotes commas.
                let value = value.replace('\\', "");
                stack.addresses.insert(variable.to_owned(), value);
            }
        }
        stack.folder = stack.address("CANDLEWICK_STACK_DIR")?.to_owned();
        let kafka = stack.kafka()?;
        let first = kafka.split(',').next().unwrap_or(kafka);
        let port = first.rsplit(':').next().unwrap_or_default();
        stack.first_port = port
            .parse()
            .with_context(|| format!("no port in {kafka}"))?;
        Ok(stack)
    }

    fn address(&self, variable: &str) -> anyhow::Result<&str> {
        let address = self.addresses.get(variable);
        let address = address.with_context(|| format!("the stack does not set {variable}"))?;
        Ok(address)
    }

    pub(crate) fn kafka(&self) -> anyhow::Result<&str> {
        self.address("CANDLEWICK_KAFKA")
    }

    pub(crate) fn timescaledb(&self) -> anyhow::Result<&str> {
        self.address("CANDLEWICK_TIMESCALEDB")
    }

    pub(crate) fn clickhouse(&self) -> anyhow::Result<&str> {
        self.address("CANDLEWICK_CLICKHOUSE")
    }

    pub(crate) fn redis(&self) -> anyhow::Result<&str> {
        self.address("CANDLEWICK_REDIS")
    }

    /// Returns the port at `index` in the instance's block of ports.
    pub(crate) const fn port(&self, index: u16) -> u16 {
        self.first_port + index
    }

    /// Stops the servers and deletes their data.
    pub(crate) async fn remove(&self) -> anyhow::Result<()> {
        self.run_stack_script(&["reset"], 1).await.map(drop)
    }

    async fn run_stack_script(&self, arguments: &[&str], brokers: u32) -> anyhow::Result<String> {
        let mut command = Command::new(self.scripts.join("stack.sh"));
        command
            .args(arguments)
            .arg(&self.name)
            .env("STACK_KAFKA_BROKERS", brokers.to_string());
        run_command(&mut command).await
    }

    /// Runs the script of one server.
    pub(crate) async fn run_server_script(
        &self,
        script: &str,
        arguments: &[&str],
    ) -> anyhow::Result<String> {
        let mut command = Command::new(self.scripts.join(format!("{script}.sh")));
        command
            .args(arguments)
            .env("CANDLEWICK_STACK_DIR", &self.folder);
        run_command(&mut command).await
    }
}

/// Runs a command to its end; returns its standard output.
///
/// # Errors
/// If it fails, with its output.
pub(crate) async fn run_command(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot run {:?}", command.as_std().get_program()))?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let more = String::from_utf8_lossy(&output.stderr);
        bail!("{:?}: {}\n{told}{more}", command.as_std(), output.status);
    }
    Ok(told)
}
