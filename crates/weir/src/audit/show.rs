//! Rows of the audit log: a table for a person, a record a line for a program, or comma-separated values.

use weir_ledger::AuditRecord;

use crate::terminal::{aligned, bold, moves, print, say, shown};
use crate::top::plain::word;
use crate::top::words::cut;

pub(super) const CSV_HEAD: &str = "sequence,at,who,role,from,action,what,outcome,previous,hash";

/// Prints rows.
pub(super) fn show(rows: &[AuditRecord]) {
    if rows.is_empty() {
        say("nothing in the audit log fits");
        say("  hint  changes, log-ins and reads of content are in it (docs/guide/audit.md)");
    } else if moves() {
        for (n, line) in table(rows).iter().enumerate() {
            print(if n == 0 { bold(&shown(line)) } else { shown(line) });
        }
    } else {
        rows.iter().for_each(|row| print(line(row)));
    }
}

fn table(rows: &[AuditRecord]) -> Vec<String> {
    let mut cells = vec![["row", "at (UTC)", "who", "from", "action", "what", "outcome"].map(str::to_owned).to_vec()];
    cells.extend(rows.iter().map(|row| {
        let entry = &row.entry;
        let at = entry.at.to_string();
        let time = at.get(..19).unwrap_or(&at).replace('T', " ");
        let who = if entry.who.is_empty() { "—" } else { &entry.who };
        vec![
            row.sequence.to_string(),
            time,
            cut(&weir_wire::shown(who), 24),
            weir_wire::shown(&entry.from),
            cut(&weir_wire::shown(&entry.action), 24),
            cut(&weir_wire::shown(&entry.what), 40),
            cut(&weir_wire::shown(&entry.outcome), 100),
        ]
    }));
    aligned(&cells, 7)
}

fn line(row: &AuditRecord) -> String {
    let entry = &row.entry;
    let said = |text: &str| if text.is_empty() { "-".to_owned() } else { word(&weir_wire::shown(text)) };
    format!(
        "audit {} at={} who={} role={} from={} action={} what={} outcome={} hash={}",
        row.sequence,
        entry.at,
        said(&entry.who),
        said(&entry.role),
        said(&entry.from),
        said(&entry.action),
        said(&entry.what),
        said(&entry.outcome),
        said(&row.hash),
    )
}

/// A row as comma-separated values. What a spreadsheet would take for a formula gets a quote before it.
pub(super) fn csv(row: &AuditRecord) -> String {
    let entry = &row.entry;
    let (sequence, at) = (row.sequence.to_string(), entry.at.to_string());
    let cells = [
        &*sequence,
        &at,
        &entry.who,
        &entry.role,
        &entry.from,
        &entry.action,
        &entry.what,
        &entry.outcome,
        &row.previous,
        &row.hash,
    ];
    cells.map(cell).join(",")
}

fn cell(text: &str) -> String {
    let text = weir_wire::shown(text);
    let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text };
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use weir_ledger::AuditEntry;
    use weir_units::WallTime;

    use super::*;

    fn row(who: &str, what: &str) -> AuditRecord {
        AuditRecord {
            sequence: 7,
            entry: AuditEntry {
                at: WallTime(1_795_013_223_114_000),
                who: who.into(),
                role: "operator".into(),
                from: "192.0.2.7".into(),
                action: "key.make".into(),
                what: what.into(),
                outcome: "done".into(),
            },
            previous: "00".into(),
            hash: "ab".into(),
        }
    }

    #[test]
    fn a_row_is_a_line_whatever_its_names_hold() {
        assert_eq!(
            line(&row("alice", "a b\u{1b}[2J\n")),
            "audit 7 at=2026-11-18T14:47:03.114Z who=alice role=operator from=192.0.2.7 action=key.make what=a_b?[2J? outcome=done hash=ab"
        );
        assert!(line(&row("", "x")).contains(" who=- "));
        assert_eq!(
            table(&[row("alice", "app")]),
            [
                "row  at (UTC)             who    from       action    what  outcome",
                "7    2026-11-18 14:47:03  alice  192.0.2.7  key.make  app   done"
            ]
        );
    }

    #[test]
    fn no_cell_is_a_formula_and_none_breaks_its_row() {
        let expected = "7,2026-11-18T14:47:03.114Z,'=cmd()|x,operator,192.0.2.7,key.make,\"a,\"\"b?\",done,00,ab";
        assert_eq!(csv(&row("=cmd()|x", "a,\"b\n")), expected);
        for text in ["+1", "-1", "@x", "=1+1"] {
            assert_eq!(cell(text), format!("'{text}"));
        }
        assert_eq!(csv(&row("a", "b")).split(',').count(), CSV_HEAD.split(',').count());
    }
}
