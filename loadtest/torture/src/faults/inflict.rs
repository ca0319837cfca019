//! How each fault comes and is healed.

use anyhow::Context;
use clock::{Clock, SystemClock};

use super::{Fault, Kind};
use crate::proxy::Passage;
use crate::roles::Role;
use crate::world::{WAYS, World};

impl Fault {
    /// Breaks it, waits, and heals it.
    pub(super) async fn inflict(mut self, world: &World) -> anyhow::Result<()> {
        match self.kind {
            Kind::Kill => self.role(world)?.kill(),
            Kind::Stop | Kind::Zombie => {
                let role = self.role(world)?;
                role.freeze()?;
                SystemClock.sleep(self.lasts).await;
                role.thaw()
            }
            Kind::Broker => {
                let number = self.target.replace("broker-", "");
                if self.is_unregistered {
                    let forget = ["unregister", &number];
                    world.stack.server("kafka", &forget).await?;
                    SystemClock.sleep(self.lasts).await;
                }
                self.server(world, "kafka", &number, "start-one").await
            }
            Kind::Postgres | Kind::Clickhouse | Kind::Redis => {
                let script = self.target.clone();
                self.server(world, &script, "", "start").await
            }
            Kind::Proxy => {
                let way = self.target.rsplit(' ').next().unwrap_or_default();
                let place = WAYS.iter().position(|name| *name == way);
                let proxy = &world.proxies[place.context("no such way")?];
                proxy.set(self.passage);
                SystemClock.sleep(self.lasts).await;
                proxy.set(Passage::Open);
                Ok(())
            }
            Kind::Recreate => self.recreate(world).await,
            Kind::Garbage => {
                self.litter(world).await;
                Ok(())
            }
        }
    }

    fn role<'a>(&self, world: &'a World) -> anyhow::Result<&'a Role> {
        let found = world.roles.iter().find(|role| role.name == self.target);
        Ok(found.context("no such role")?)
    }

    /// Kills or freezes a server; the script calls it `number` where there are several.
    async fn server(
        &self,
        world: &World,
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
            world.stack.server(script, arguments).await?;
            if command == begin {
                SystemClock.sleep(self.lasts).await;
            }
        }
        Ok(())
    }
}
