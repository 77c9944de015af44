//! Requests as rows of a Parquet file, in the columns of the CSV, with types: times in UTC, exact dollars, counts.
//!
//! Rows are kept until there are enough for a row group, so memory stays the same for any number of them.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use serde_json::Value;
use weir_ledger::asked_time;
use weir_units::{NanoUsd, WallTime};

/// Rows of a row group.
const ROWS: usize = 50_000;

/// How a value is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Count,
    Flag,
    /// Milliseconds since 1970, in UTC.
    Time,
    /// A decimal with nine places.
    Dollars,
}

/// The columns: their names, where in a record their values are, and what these are.
const COLUMNS: [(&str, &str, Kind); 29] = [
    ("id", "/id", Kind::Text),
    ("started_at", "/started_at", Kind::Time),
    ("ended_at", "/ended_at", Kind::Time),
    ("outcome", "/outcome", Kind::Text),
    ("status", "/status", Kind::Count),
    ("code", "/code", Kind::Text),
    ("refused_by", "/refused_by", Kind::Text),
    ("key", "/key", Kind::Text),
    ("tenant", "/tenant", Kind::Text),
    ("route", "/route", Kind::Text),
    ("model", "/model", Kind::Text),
    ("dialect", "/dialect", Kind::Text),
    ("endpoint", "/endpoint", Kind::Text),
    ("stream", "/stream", Kind::Flag),
    ("run", "/run", Kind::Text),
    ("tags", "/tags", Kind::Text),
    ("trace", "/trace/id", Kind::Text),
    ("sdk_retry", "/sdk_retry", Kind::Count),
    ("first_content_ms", "/first_content_ms", Kind::Count),
    ("queued_ms", "/queued_ms", Kind::Count),
    ("overhead_us", "/overhead_us", Kind::Count),
    ("cost_usd", "/cost_usd", Kind::Dollars),
    ("cost_estimated", "/cost_estimated", Kind::Flag),
    ("input", "/usage/input", Kind::Count),
    ("cached_input", "/usage/cached_input", Kind::Count),
    ("output", "/usage/output", Kind::Count),
    ("reasoning", "/usage/reasoning", Kind::Count),
    ("attempts", "", Kind::Count),
    ("deployment", "", Kind::Text),
];

/// A column's values; none is null.
enum Column {
    Texts(Vec<Option<ByteArray>>),
    Numbers(Vec<Option<i64>>),
    Flags(Vec<Option<bool>>),
}

/// A file in the making.
pub(super) struct Parquet<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<Column>,
    rows: usize,
}

impl<W: Write + Send> Parquet<W> {
    /// Begins a file.
    pub(super) fn begin(out: W) -> Result<Self, String> {
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let schema = schema().map_err(failed)?;
        let file = SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(failed)?;
        Ok(Self { file, columns: columns(), rows: 0 })
    }

    /// Adds the row of a record.
    pub(super) fn row(&mut self, record: &str) -> Result<(), String> {
        let record: Value = serde_json::from_str(record).map_err(|error| format!("a record is damaged: {error}"))?;
        let attempts = record["attempts"].as_array().map_or(&[][..], Vec::as_slice);
        for ((name, pointer, kind), column) in COLUMNS.iter().zip(&mut self.columns) {
            let value = match *name {
                "attempts" => Some(Value::from(attempts.len())),
                "deployment" => attempts.last().map(|last| last["deployment"].clone()),
                _ => record.pointer(pointer).cloned(),
            };
            push(column, *kind, value.filter(|value| !value.is_null()));
        }
        self.rows += 1;
        if self.rows >= ROWS { self.group() } else { Ok(()) }
    }

    /// Writes what is left, and the end of the file.
    pub(super) fn end(mut self) -> Result<(), String> {
        self.group()?;
        self.file.close().map(|_| ()).map_err(failed)
    }

    fn group(&mut self) -> Result<(), String> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let mut columns = std::mem::replace(&mut self.columns, columns()).into_iter();
        let mut group = self.file.next_row_group().map_err(failed)?;
        while let (Some(column), Some(mut writer)) = (columns.next(), group.next_column().map_err(failed)?) {
            match column {
                Column::Texts(values) => {
                    let (levels, values) = nulls(values);
                    writer.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).map_err(failed)?;
                }
                Column::Numbers(values) => {
                    let (levels, values) = nulls(values);
                    writer.typed::<Int64Type>().write_batch(&values, Some(&levels), None).map_err(failed)?;
                }
                Column::Flags(values) => {
                    let (levels, values) = nulls(values);
                    writer.typed::<BoolType>().write_batch(&values, Some(&levels), None).map_err(failed)?;
                }
            }
            writer.close().map_err(failed)?;
        }
        group.close().map(|_| ()).map_err(failed)
    }
}

fn failed(error: ParquetError) -> String {
    format!("write Parquet: {error}")
}

fn columns() -> Vec<Column> {
    let empty = |(_, _, kind): &(&str, &str, Kind)| match kind {
        Kind::Text => Column::Texts(Vec::new()),
        Kind::Flag => Column::Flags(Vec::new()),
        Kind::Count | Kind::Time | Kind::Dollars => Column::Numbers(Vec::new()),
    };
    COLUMNS.iter().map(empty).collect()
}

/// What a file says of its columns. Each may be null: what is not known is no zero.
fn schema() -> Result<TypePtr, ParquetError> {
    let field = |(name, _, kind): &(&str, &str, Kind)| {
        let of = |physical| Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        let built = match kind {
            Kind::Text => of(Physical::BYTE_ARRAY).with_logical_type(Some(LogicalType::String)),
            Kind::Count => of(Physical::INT64),
            Kind::Flag => of(Physical::BOOLEAN),
            Kind::Time => of(Physical::INT64).with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
            Kind::Dollars => of(Physical::INT64)
                .with_precision(18)
                .with_scale(9)
                .with_logical_type(Some(LogicalType::decimal(9, 18))),
        };
        built.build().map(Arc::new)
    };
    let fields = COLUMNS.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    Type::group_type_builder("request").with_fields(fields).build().map(Arc::new)
}

fn push(column: &mut Column, kind: Kind, value: Option<Value>) {
    match column {
        Column::Texts(values) => values.push(value.map(|value| match value {
            Value::String(text) => ByteArray::from(text.into_bytes()),
            other => ByteArray::from(other.to_string().into_bytes()),
        })),
        Column::Flags(values) => values.push(value.and_then(|value| value.as_bool())),
        Column::Numbers(values) => values.push(value.and_then(|value| match kind {
            Kind::Time => asked_time(value.as_str()?, WallTime(0)).ok().map(WallTime::millis),
            Kind::Dollars => value.as_str()?.parse::<NanoUsd>().ok().map(|amount| amount.0),
            _ => value.as_i64(),
        })),
    }
}

/// Which values are there, and those that are.
fn nulls<T>(values: Vec<Option<T>>) -> (Vec<i16>, Vec<T>) {
    (values.iter().map(|value| i16::from(value.is_some())).collect(), values.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};

    use super::*;

    #[test]
    fn a_record_is_read_back_as_it_was_written_and_what_is_unknown_is_null() {
        let record = r#"{"id":"req_1","started_at":"2026-11-18T14:47:03.114Z","outcome":"answered","status":200,"stream":true,
            "cost_usd":"0.000000051","cost_estimated":false,"usage":{"input":7,"output":3},"attempts":[{"deployment":"m/a"}]}"#;
        let unpriced = r#"{"id":"req_0","started_at":"2026-11-18T14:47:02.000Z","outcome":"refused","cost_usd":null,"attempts":[]}"#;
        let mut bytes = Vec::new();
        let mut file = Parquet::begin(&mut bytes).unwrap();
        file.row(record).unwrap();
        file.row(unpriced).unwrap();
        file.end().unwrap();
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 2);
        let rows: Vec<String> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        for part in [
            "id: \"req_1\"",
            "started_at: 2026-11-18 14:47:03.114",
            "status: 200",
            "cost_usd: 0.000000051",
            "attempts: 1",
            "deployment: \"m/a\"",
        ] {
            assert!(rows[0].contains(part), "{part} in {}", rows[0]);
        }
        for part in ["cost_usd: null", "status: null", "attempts: 0", "deployment: null"] {
            assert!(rows[1].contains(part), "{part} in {}", rows[1]);
        }
        assert!(Parquet::begin(Vec::new()).unwrap().row("{").is_err());
    }
}
