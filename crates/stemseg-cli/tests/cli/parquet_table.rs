//! The table of all images in Parquet.

use std::collections::BTreeMap;

use stemseg_testing::place::{COLS, Place, ROWS, scene};

use crate::batch::{data, job, table};
use crate::job::FLAG;

/// The lines of a table in Parquet, each by column.
fn parquet(place: &Place, name: &str) -> Vec<BTreeMap<String, parquet::record::Field>> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let file = std::fs::File::open(place.path(name)).unwrap();
    let table = SerializedFileReader::new(file).unwrap();
    let rows = table.get_row_iter(None).unwrap();
    rows.map(|row| row.unwrap().into_columns().into_iter().collect()).collect()
}

#[test]
fn a_table_in_parquet_has_types_and_keeps_the_lines_of_earlier_runs() {
    use parquet::record::Field::{Double, Long, Null, Str};
    let place = data();
    place.npy("=1.npy", &scene(ROWS, COLS));
    let job = |given: &[&str]| job(given).set("--table", "t.parquet");
    job(&["=1.npy", "data/bad.npy"]).run(&place);
    let first = parquet(&place, "t.parquet");
    assert_eq!(first.len(), 2);
    assert_eq!(first[0]["file"], Str("=1.npy".to_owned()), "no spreadsheet reads it");
    assert_eq!(first[1]["status"], Str("failed".to_owned()));
    assert_eq!(
        (&first[1]["k"], &first[1]["result"], &first[1]["area_1_percent"]),
        (&Null, &Null, &Null)
    );
    job(&["data"]).set("--resume", FLAG).run(&place);
    let both = parquet(&place, "t.parquet");
    let files: Vec<String> = both.iter().map(|line| line["file"].to_string()).collect();
    assert_eq!(files, ["\"data/a.npy\"", "\"data/bad.npy\"", "\"=1.npy\""]);
    assert_eq!(both[2], first[0], "as it was");
    // The same numbers as in CSV.
    let lines = {
        job(&["data"]).with(&[("--table", "t.csv"), ("--resume", FLAG)]).run(&place);
        table(&place, "t.csv")
    };
    let csv = &lines["data/a.npy 2"];
    for (column, value) in &both[0] {
        let cell = csv.get(column).map_or("", String::as_str);
        match value {
            Double(number) => assert_eq!(*number, cell.parse::<f64>().unwrap(), "{column}"),
            Long(whole) => assert_eq!(whole.to_string(), cell, "{column}"),
            Str(_) if column == "status" => {}
            Str(text) => assert_eq!(text, cell, "{column}"),
            Null => assert_eq!(cell, "", "{column}"),
            other => panic!("{column}: {other:?}"),
        }
    }
    assert!(matches!((&both[0]["k"], &both[0]["confidence"]), (Long(2), Double(_))));
    // What is something else stays.
    place.write("mine.parquet", "PAR1");
    let words = ["mine.parquet", "not a table of stemseg", "--table"];
    job(&["data/a.npy"]).set("--table", "mine.parquet").refused(&place, "another file", &words);
}
