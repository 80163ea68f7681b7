//! The table as Parquet: the same columns, whole numbers, numbers and text, none where a cell of CSV is
//! empty.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::record::Field;
use parquet::schema::types::{Type as Schema, TypePtr};
use stemseg::Result;

use super::{Row, Type, first_columns};

/// This build has Parquet.
pub(super) fn check(_path: &Path) -> Result<()> {
    Ok(())
}

/// Whether a file has the first columns of a table, of this version or another.
pub(super) fn is_table(path: &Path) -> bool {
    let Some(table) = open(path) else { return false };
    let schema = table.metadata().file_metadata().schema_descr();
    let names = schema.columns().iter().take(4).map(|column| column.name().to_owned());
    names.eq(first_columns())
}

/// The lines of the table at `path`; none where there is no table.
pub(super) fn read(path: &Path) -> Vec<Row> {
    let Some(table) = open(path) else { return Vec::new() };
    let Ok(rows) = table.get_row_iter(None) else { return Vec::new() };
    let cells = |row: parquet::record::Row| -> Row {
        row.into_columns().into_iter().map(|(name, field)| (name, text(field))).collect()
    };
    rows.map_while(|row| row.ok()).map(cells).collect()
}

fn open(path: &Path) -> Option<SerializedFileReader<File>> {
    SerializedFileReader::new(File::open(path).ok()?).ok()
}

/// A cell as the same in CSV would have it.
fn text(field: Field) -> String {
    match field {
        Field::Null => String::new(),
        Field::Str(text) => text,
        Field::Long(whole) => whole.to_string(),
        Field::Double(number) => number.to_string(),
        other => other.to_string(),
    }
}

/// Writes a line for each of `rows`, with `columns`.
pub(super) fn write(to: &mut File, columns: &[(String, Type)], rows: &[Row]) -> io::Result<()> {
    let said = |error: ParquetError| match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    };
    write_columns(to, columns, rows).map_err(said)
}

fn write_columns(
    to: &mut File,
    columns: &[(String, Type)],
    rows: &[Row],
) -> std::result::Result<(), ParquetError> {
    let properties = WriterProperties::builder()
        .set_created_by(format!("stemseg {}", env!("CARGO_PKG_VERSION")))
        .build();
    let fields = columns.iter().map(|(name, kind)| schema(name, *kind));
    let fields = fields.collect::<std::result::Result<Vec<TypePtr>, _>>()?;
    let table = Schema::group_type_builder("stemseg").with_fields(fields).build()?;
    let to = BufWriter::new(to);
    let mut file = SerializedFileWriter::new(to, Arc::new(table), Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    for (name, kind) in columns {
        let mut column = group.next_column()?.expect("as many as the schema has");
        let cells = rows.iter().map(|row| row.get(name).map_or("", String::as_str));
        match kind {
            Type::Text => {
                let text = |cell: &str| (!cell.is_empty()).then(|| ByteArray::from(cell));
                fill::<ByteArrayType>(&mut column, cells.map(text))?;
            }
            Type::Integer => fill::<Int64Type>(&mut column, cells.map(|cell| cell.parse().ok()))?,
            Type::Number => fill::<DoubleType>(&mut column, cells.map(|cell| cell.parse().ok()))?,
        }
        column.close()?;
    }
    group.close()?;
    // Flushes what is buffered.
    file.close().map(drop)
}

/// A column that may have cells without a value.
fn schema(name: &str, kind: Type) -> std::result::Result<TypePtr, ParquetError> {
    let (stored, meant) = match kind {
        Type::Text => (ByteArrayType::get_physical_type(), Some(LogicalType::String)),
        Type::Integer => (Int64Type::get_physical_type(), None),
        Type::Number => (DoubleType::get_physical_type(), None),
    };
    let column = Schema::primitive_type_builder(name, stored);
    column.with_repetition(Repetition::OPTIONAL).with_logical_type(meant).build().map(Arc::new)
}

/// Writes the cells of a column; there are few enough for one piece.
fn fill<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    cells: impl Iterator<Item = Option<T::T>>,
) -> std::result::Result<(), ParquetError> {
    let cells: Vec<Option<T::T>> = cells.collect();
    let there: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<T::T> = cells.into_iter().flatten().collect();
    column.typed::<T>().write_batch(&values, Some(&there), None).map(drop)
}
