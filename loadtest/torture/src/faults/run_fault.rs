//! How each fault is injected and healed.

use anyhow::Context;
use clock::{Clock, SystemClock};

use super::fault::Fault;
use crate::cluster::{Cluster, PROXIED_STORES};
use crate::fault_kind::FaultKind;
use crate::proxy::ProxyMode;
use crate::role_process::RoleProcess;

impl Fault {
    /// Injects the fault, waits, and heals it.
    pub(super) async fn run_fault(mut self, cluster: &Cluster) -> anyhow::Result<()> {
        match self.kind {
            FaultKind::Kill => self.role(cluster)?.kill(),
            FaultKind::Stop | FaultKind::Zombie => {
                let role = self.role(cluster)?;
                role.freeze()?;
                SystemClock.sleep(self.lasts).await;
                role.thaw()
            }
            FaultKind::Broker => {
                let number = self.target.replace("broker-", "");
                if self.is_unregistered {
                    let forget = ["unregister", &number];
                    cluster.stack.run_server_script("kafka", &forget).await?;
                    SystemClock.sleep(self.lasts).await;
                }
                self.disrupt_server(cluster, "kafka", &number, "start-one")
                    .await
            }
            FaultKind::Postgres | FaultKind::Clickhouse | FaultKind::Redis => {
                let script = self.target.clone();
                self.disrupt_server(cluster, &script, "", "start").await
            }
            FaultKind::Proxy => {
                let way = self.target.rsplit(' ').next().unwrap_or_default();
                let place = PROXIED_STORES.iter().position(|name| *name == way);
                let proxy = &cluster.proxies[place.context("no such proxy")?];
                proxy.set(self.mode);
                SystemClock.sleep(self.lasts).await;
                proxy.set(ProxyMode::Open);
                Ok(())
            }
            FaultKind::Recreate => self.recreate(cluster).await,
            FaultKind::Garbage => {
                self.append_garbage(cluster).await;
                Ok(())
            }
        }
    }

    fn role<'a>(&self, cluster: &'a Cluster) -> anyhow::Result<&'a RoleProcess> {
        let found = cluster.roles.iter().find(|role| role.name == self.target);
        Ok(found.context("no such role")?)
    }

    /// Kills or freezes a server, waits for the duration of the fault, then restarts or resumes it.
    /// `number` selects the broker; it is empty for other servers.
    async fn disrupt_server(
        &self,
        cluster: &Cluster,
        script: &str,
        number: &str,
        start: &str,
    ) -> anyhow::Result<()> {
        let (begin, end) = match self.is_frozen {
            true => ("pause", "resume"),
            false => ("kill", start),
        };
        for command in [begin, end] {
            let arguments: &[&str] = match number {
                "" => &[command],
                number => &[command, number],
            };
            cluster.stack.run_server_script(script, arguments).await?;
            if command == begin {
                SystemClock.sleep(self.lasts).await;
            }
        }
        Ok(())
    }
}
