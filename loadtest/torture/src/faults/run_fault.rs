//! How each fault is injected and healed.

use anyhow::Context;
use clock::{Clock, SystemClock};

use super::fault::Fault;
use crate::cluster::{PROXIED_STORES, TortureCluster};
use crate::fault_kind::FaultKind;
use crate::proxy::ProxyMode;
use crate::role_process::RestartingProcess;

impl Fault {
    /// Injects the fault, waits, and heals it.
    pub(super) async fn inject_and_heal(mut self, cluster: &TortureCluster) -> anyhow::Result<()> {
        match self.kind {
            FaultKind::Kill => self.target_process(cluster)?.kill(),
            FaultKind::Stop | FaultKind::Zombie => {
                let role = self.target_process(cluster)?;
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
                self.disrupt_and_heal_server(cluster, "kafka", &number, "start-one")
                    .await
            }
            FaultKind::Postgres | FaultKind::Clickhouse | FaultKind::Redis => {
                let script = self.target.clone();
                self.disrupt_and_heal_server(cluster, &script, "", "start")
                    .await
            }
            FaultKind::Proxy => {
                let way = self.target.rsplit(' ').next().unwrap_or_default();
                let place = PROXIED_STORES.iter().position(|name| *name == way);
                let proxy = &cluster.proxies[place.context("no such proxy")?];
                proxy.set_mode(self.mode);
                SystemClock.sleep(self.lasts).await;
                proxy.set_mode(ProxyMode::Open);
                Ok(())
            }
            FaultKind::Recreate => self.drain_and_recreate(cluster).await,
            FaultKind::Garbage => {
                self.append_garbage(cluster).await;
                Ok(())
            }
            FaultKind::Hostile => self.send_hostile_texts_and_repeats(cluster).await,
            FaultKind::Unstorable => self.refuse_legal_record(cluster).await,
            FaultKind::Settings => self.change_settings(cluster).await,
            FaultKind::Readers => self.stall_readers(cluster).await,
            FaultKind::Undrained => self.recreate_without_draining(cluster).await,
            FaultKind::Topic => self.change_topic_setting(cluster).await,
            FaultKind::Partitions => self.add_partition_and_recreate(cluster).await,
            FaultKind::Transaction => self.hold_transaction_open_then_abort(cluster).await,
        }
    }

    fn target_process<'a>(
        &self,
        cluster: &'a TortureCluster,
    ) -> anyhow::Result<&'a RestartingProcess> {
        let found = cluster.roles.iter().find(|role| role.name == self.target);
        Ok(found.context("no such role")?)
    }

    /// Kills or freezes a server, waits for the duration of the fault, then restarts or resumes it.
    /// `broker_number` is empty for other servers.
    async fn disrupt_and_heal_server(
        &self,
        cluster: &TortureCluster,
        script: &str,
        broker_number: &str,
        start_command: &str,
    ) -> anyhow::Result<()> {
        let (begin, end) = match self.is_frozen {
            true => ("pause", "resume"),
            false => ("kill", start_command),
        };
        for command in [begin, end] {
            let arguments: &[&str] = match broker_number {
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
