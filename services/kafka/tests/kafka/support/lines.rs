//! What the process logs, kept to be searched.

use std::fmt::{Debug, Write};
use std::sync::{Arc, LazyLock, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

type Kept = Arc<Mutex<String>>;

/// All that was logged since the first call, by any thread and at any level.
pub(crate) fn log_lines() -> String {
    static KEPT: LazyLock<Kept> = LazyLock::new(|| {
        let kept = Kept::default();
        tracing::subscriber::set_global_default(Lines(kept.clone())).unwrap();
        kept
    });
    KEPT.lock().unwrap().clone()
}

struct Lines(Kept);

impl Subscriber for Lines {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut kept = self.0.lock().unwrap();
        write!(kept, "{}", event.metadata().level()).unwrap();
        event.record(&mut Line(&mut kept));
        kept.push('\n');
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}
