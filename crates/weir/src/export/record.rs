//! An export is put into the audit log before it is made: by the gateway that serves the ledger, or, where none does, by this command.

use http::Method;
use serde_json::json;
use weir_ledger::{AuditEntry, OpenError, append_audit};

use super::{Arguments, Format};
use crate::ledger::Place;
use crate::server::Server;
use crate::when;

/// Puts it on record.
///
/// # Errors
/// Why it is on none, as the end of a sentence.
pub(super) async fn on_record(place: &Place, server: &Server, arguments: &Arguments) -> Result<(), String> {
    let what = what(arguments);
    let entry = AuditEntry {
        at: when::now(),
        who: "this machine".into(),
        role: "".into(),
        from: "".into(),
        action: "requests.export".into(),
        what: what.as_str().into(),
        outcome: "done".into(),
    };
    let appended = match place {
        Place::File(path) => append_audit(path, None, entry).await,
        Place::Postgres(postgres) => append_audit(std::path::Path::new(""), Some(postgres), entry).await,
    };
    match appended {
        Ok(_) => Ok(()),
        // Whoever serves it writes its audit log, too.
        Err(OpenError::Served { .. }) => {
            let operator = server.operator().map_err(|fault| fault.to_string())?;
            let body = json!({ "what": what }).to_string();
            let told = operator.send(Method::POST, "/admin/v1/audit/exports", Some(body)).await;
            told.map(|_| ())
                .map_err(|fault| format!("{fault}; `--url` and WEIR_ADMIN_KEY say which gateway serves this ledger"))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// What is exported, as it was asked for.
fn what(arguments: &Arguments) -> String {
    let format = match arguments.format {
        Format::Jsonl => "jsonl",
        Format::Csv => "csv",
        Format::Parquet => "parquet",
    };
    let mut parts = vec![format.to_owned()];
    parts.extend(arguments.since.iter().map(|since| format!("since={since}")));
    parts.extend(arguments.until.iter().map(|until| format!("until={until}")));
    parts.extend(arguments.filters.iter().cloned());
    parts.join(" ")
}
