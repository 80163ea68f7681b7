use super::*;

/// A line with these cells.
fn row(cells: &[(&str, &str)]) -> Row {
    cells.iter().map(|&(name, cell)| (name.to_owned(), cell.to_owned())).collect()
}

/// A line of a result with two labels, and one of an image without any.
fn rows() -> Vec<Row> {
    let done = row(&[
        (FILE, "=1+1 \u{b5}, \"a\".tif"),
        (RESULT, "r/a.stemseg"),
        ("status", "done"),
        ("message", ""),
        ("k", "2"),
        ("warnings", "no-gap;slivers"),
        ("rows", "512"),
        ("cols", "1024"),
        ("nm_per_row", "0.0125"),
        ("confidence", "0.9512"),
        (UNLABELLED, "0"),
        ("area_1_percent", "62.25"),
        ("area_2_percent", "37.75"),
    ]);
    let failed =
        row(&[(FILE, "b.tif"), (RESULT, ""), ("status", "failed"), ("message", "no\nline")]);
    vec![done, failed]
}

#[test]
fn what_is_written_is_read() {
    let place = tempfile::tempdir().unwrap();
    let formats =
        [("t.csv", Format::Csv), ("t.parquet", Format::Parquet), ("T.PARQUET", Format::Parquet)];
    for (name, expected) in formats {
        let path = place.path().join(name);
        if expected == Format::Parquet && cfg!(not(feature = "parquet")) {
            let said = Format::of(&path).unwrap_err().to_string();
            assert!(
                said.contains("without the feature parquet") && said.contains(".csv"),
                "{said}"
            );
            continue;
        }
        let format = Format::of(&path).unwrap();
        assert_eq!(format, expected);
        format.write(&mut fs::File::create(&path).unwrap(), &rows()).unwrap();
        assert!(format.check(&path).is_ok());
        let read = format.read(&path);
        assert_eq!(read.len(), 2);
        for (read, written) in read.iter().zip(rows()) {
            assert_eq!(read.len(), 16 + 1 + 2, "each column, also where there is nothing in it");
            for (column, cell) in read {
                let written = written.get(column).map_or("", String::as_str);
                assert_eq!(cell, written, "{name}: {column}");
            }
        }
        // The same lines give the same bytes.
        let bytes = fs::read(&path).unwrap();
        format.write(&mut fs::File::create(&path).unwrap(), &read).unwrap();
        assert!(fs::read(&path).unwrap() == bytes, "{name}");
    }
}

#[test]
fn what_is_no_table_is_refused() {
    let place = tempfile::tempdir().unwrap();
    for (name, format) in [("t.csv", Format::Csv), ("t.parquet", Format::Parquet)] {
        let path = place.path().join(name);
        for bytes in [&b""[..], b"my,own,notes\n", b"PAR1 and then nothing PAR1"] {
            fs::write(&path, bytes).unwrap();
            let said = format.check(&path).unwrap_err().to_string();
            assert!(said.contains("it is not a table of stemseg"), "{said}");
            assert!(format.read(&path).iter().all(|row| !row.contains_key(FILE)));
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(format.check(&path).is_err(), "a folder");
        assert!(format.check(&place.path().join("none")).is_ok());
    }
}

#[cfg(feature = "parquet")]
#[test]
fn another_table_in_parquet_and_one_of_the_other_format_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let (own, other) = (place.path().join("a.parquet"), place.path().join("b.parquet"));
    Format::Parquet.write(&mut fs::File::create(&own).unwrap(), &rows()).unwrap();
    let columns = [("mine".to_owned(), Type::Text)];
    parquet_file::write(&mut fs::File::create(&other).unwrap(), &columns, &rows()).unwrap();
    assert!(Format::Parquet.check(&own).is_ok() && Format::Parquet.check(&other).is_err());
    assert!(Format::Csv.check(&own).is_err());
    Format::Csv.write(&mut fs::File::create(&own).unwrap(), &rows()).unwrap();
    assert!(Format::Parquet.check(&own).is_err() && Format::Csv.check(&own).is_ok());
    // Cut off anywhere, it is none.
    Format::Parquet.write(&mut fs::File::create(&own).unwrap(), &rows()).unwrap();
    let bytes = fs::read(&own).unwrap();
    for length in (0..bytes.len()).step_by(7) {
        fs::write(&other, &bytes[..length]).unwrap();
        assert!(Format::Parquet.check(&other).is_err(), "{length}");
    }
}
