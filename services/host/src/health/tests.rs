use serde_json::{json, to_value};

use super::*;

#[test]
fn an_optional_dependency_leaves_the_process_ready_and_reports_the_outage() {
    let health = Health::default();
    let reason = || health.readiness().components[0].reason.clone();
    let component = health.register("redis");
    let optional = DependencyComponent::Optional(component.clone());
    optional.report(Some("1 failure: refused"));
    assert!(health.readiness().is_ready());
    assert_eq!(reason().as_deref(), Some("1 failure: refused"));
    let required = DependencyComponent::Required(component);
    required.report(Some("1 failure: refused"));
    assert!(!health.readiness().is_ready());
    required.report(None);
    assert!(health.readiness().is_ready());
    assert_eq!(reason(), None);
}

#[test]
fn a_component_is_not_ready_until_it_reports_so() {
    let health = Health::default();
    assert!(health.readiness().is_ready());
    let (store, feed) = (health.register("store"), health.register("feed"));
    store.ready();
    let expected = json!({"status": "not_ready", "components": [
        {"name": "store", "ready": true, "reason": null},
        {"name": "feed", "ready": false, "reason": "starting"},
    ]});
    assert_eq!(to_value(health.readiness()).unwrap(), expected);
    feed.ready();
    assert_eq!(to_value(health.readiness()).unwrap()["status"], "ready");
    feed.not_ready("lag is 90 s");
    assert_eq!(
        health.readiness().components[1].reason.as_deref(),
        Some("lag is 90 s")
    );
    assert!(health.liveness().is_ready());
}

#[test]
fn only_a_failed_component_ends_liveness() {
    let health = Health::default();
    health.register("store").failed("the file is corrupt");
    assert!(!health.liveness().is_ready());
    assert!(!health.readiness().is_ready());
    health.register("store").ready();
    assert!(health.liveness().is_ready());
    assert_eq!(health.liveness().components.len(), 1);
}

#[test]
fn a_degraded_component_leaves_the_process_ready_and_a_withdrawn_one_is_not_listed() {
    let health = Health::default();
    let (cache, worker) = (health.register("cache"), health.register("worker-3"));
    cache.degraded("no answer");
    worker.not_ready("folding");
    assert!(!health.readiness().is_ready());
    worker.withdraw();
    let expected = json!({"status": "ready", "components": [
        {"name": "cache", "ready": true, "reason": "no answer"},
    ]});
    assert_eq!(to_value(health.readiness()).unwrap(), expected);
    assert_eq!(health.liveness().components[0].reason, None);
    health.register("worker-3").ready();
    assert_eq!(health.readiness().components.len(), 2);
}

#[test]
fn a_draining_process_stays_not_ready_and_live() {
    let health = Health::default();
    health.start_draining("shutting down");
    health.register("store").ready();
    let report = health.readiness();
    assert!(!report.is_ready() && health.liveness().is_ready());
    assert_eq!(
        report.components[1].reason.as_deref(),
        Some("shutting down")
    );
}
