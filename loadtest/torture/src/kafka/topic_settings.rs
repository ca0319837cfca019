//! Changing a topic by hand.

use anyhow::{Context, anyhow};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigEntry, ConfigSource, NewPartitions,
    ResourceSpecifier,
};
use rdkafka::client::DefaultClientContext;

use super::{TIMEOUT, TortureKafkaClient, client_config};

impl TortureKafkaClient {
    /// Changes one setting of a topic and leaves its others as they are.
    ///
    /// # Errors
    /// If the brokers do not answer, or refuse it.
    pub(crate) async fn change_topic_setting(
        &self,
        topic: &str,
        name: &str,
        value: &str,
    ) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = client_config(&self.brokers).create()?;
        let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
        let of_topic = ResourceSpecifier::Topic(topic);
        let described = admin.describe_configs([&of_topic], &options).await?;
        let described = described.into_iter().next().context("no answer")?;
        let described = described.map_err(|code| anyhow!("{topic}: {code}"))?;
        // The request replaces all settings of the topic.
        let is_kept =
            |entry: &&ConfigEntry| entry.source == ConfigSource::DynamicTopic && entry.name != name;
        let mut change = AlterConfig::new(of_topic).set(name, value);
        for entry in described.entries.iter().filter(is_kept) {
            if let Some(kept) = &entry.value {
                change = change.set(&entry.name, kept);
            }
        }
        let changed = admin.alter_configs([&change], &options).await?;
        for outcome in changed {
            outcome.map_err(|(_, code)| anyhow!("{topic}: {name}={value}: {code}"))?;
        }
        Ok(())
    }

    /// Adds a partition to a topic that has as many as it should.
    ///
    /// # Errors
    /// If the brokers do not answer, or refuse it.
    pub(crate) async fn add_partition(&self, topic: &str) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = client_config(&self.brokers).create()?;
        let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
        let count = usize::try_from(self.partitions)? + 1;
        let added = [NewPartitions::new(topic, count)];
        for outcome in admin.create_partitions(&added, &options).await? {
            outcome.map_err(|(_, code)| anyhow!("{topic}: {count} partitions: {code}"))?;
        }
        Ok(())
    }
}
