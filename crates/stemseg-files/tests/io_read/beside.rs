//! What lies in a folder or next to a file: only regular files are opened.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use stemseg_files::read::read;

use crate::files::Folder;
use crate::vendor::made;

fn pipe(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// What reading says, which never waits for what nobody writes.
#[track_caller]
fn refusal_in_time(path: PathBuf) -> String {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(read(&path, None).map(|_| ()).map_err(|e| e.to_string())));
    let said = receive.recv_timeout(Duration::from_secs(30)).expect("it waits for a pipe");
    said.expect_err("a pipe was read")
}

#[test]
fn a_pipe_is_no_image() {
    let folder = Folder::new();
    let path = folder.path("image.tif");
    pipe(&path);
    assert!(refusal_in_time(path).contains("is not a regular file"));
    let link = folder.path("link.npy");
    std::os::unix::fs::symlink("link.npy", &link).unwrap();
    assert!(read(&link, None).is_err(), "a link to itself");
}

#[test]
fn a_pipe_or_a_link_in_a_zspy_folder_is_refused() {
    let folder = Folder::new();
    let packed = made(&folder, "hyperspy.zspy");
    let store = folder.path("folder.zspy");
    let mut zip = zip::ZipArchive::new(std::fs::File::open(&packed).unwrap()).unwrap();
    zip.extract(&store).unwrap();
    let chunk = store.join("Experiments/image/data/0.0.0");
    let elsewhere = folder.path("elsewhere");
    std::fs::rename(&chunk, &elsewhere).unwrap();
    pipe(&chunk);
    let said = refusal_in_time(store.clone());
    assert!(
        said.contains("has Experiments/image/data/0.0.0, which is not a regular file"),
        "{said}"
    );
    std::fs::remove_file(&chunk).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &chunk).unwrap();
    assert!(refusal_in_time(store.clone()).contains("not a regular file"));
    // Nothing needs the file of another name.
    std::fs::rename(&chunk, store.join("notes")).unwrap();
    std::fs::rename(&elsewhere, &chunk).unwrap();
    read(&store, None).unwrap();
}

#[test]
fn a_pipe_beside_a_series_is_refused() {
    let folder = Folder::new();
    let ser = made(&folder, "series_1.ser");
    let emi = folder.path("Series.EMI");
    pipe(&emi);
    let said = refusal_in_time(ser);
    assert!(said.contains("Series.EMI") && said.contains("not a regular file"), "{said}");
    std::fs::remove_file(&emi).unwrap();
    let emi = folder.file("series.emi", b"JK\0\x02 and more");
    pipe(&folder.path("series_2.ser"));
    assert!(refusal_in_time(emi).contains("series_2.ser"));
}

#[test]
fn names_of_chunks_stay_within_the_folder() {
    let folder = Folder::new();
    let packed = made(&folder, "hyperspy.zspy");
    let store = folder.path("folder.zspy");
    let mut zip = zip::ZipArchive::new(std::fs::File::open(&packed).unwrap()).unwrap();
    zip.extract(&store).unwrap();
    let array = store.join("Experiments/image/data/.zarray");
    let description = std::fs::read_to_string(&array).unwrap();
    let separator = r#"{"dimension_separator":"/../../","#;
    std::fs::write(&array, description.replacen('{', separator, 1)).unwrap();
    assert!(refusal_in_time(store).contains("stored in a way that is not read"));
}
