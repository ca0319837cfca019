//! The log of the process, kept so that tests can search it.

use std::fmt::{Debug, Write};
use std::sync::{Arc, LazyLock, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

type LogText = Arc<Mutex<String>>;

/// Returns everything that was logged since the first call, by any thread and at any level.
pub(crate) fn log_lines() -> String {
    static TEXT: LazyLock<LogText> = LazyLock::new(|| {
        let text = LogText::default();
        tracing::subscriber::set_global_default(LineCollector(text.clone())).unwrap();
        text
    });
    TEXT.lock().unwrap().clone()
}

/// Appends each event to the text as a line.
struct LineCollector(LogText);

impl Subscriber for LineCollector {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = self.0.lock().unwrap();
        write!(text, "{}", event.metadata().level()).unwrap();
        event.record(&mut FieldWriter(&mut text));
        text.push('\n');
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

struct FieldWriter<'a>(&'a mut String);

impl Visit for FieldWriter<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}
