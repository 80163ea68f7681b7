//! The files of a zarr array (version 2), in a zip archive or in a folder.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::{GzDecoder, ZlibDecoder};
use serde_json::Value;
use walkdir::WalkDir;

use super::super::zspy_mark::MAX_METADATA;
use super::super::{damaged, failed, file_size, open, zip};
use super::Array;
use stemseg::{Error, Result};

/// All arrays and groups.
pub(super) struct Archive {
    pub(super) path: PathBuf,
    store: Store,
    /// Bytes that it takes on the disk.
    pub(super) size: u64,
}

/// What holds them.
enum Store {
    Zip(zip::Archive),
    Folder {
        /// Its regular files.
        files: BTreeSet<PathBuf>,
        /// Pipes, on which a reader would wait for ever, and links, which lead elsewhere.
        others: BTreeSet<PathBuf>,
    },
}

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let fail = |error| failed(path, error);
        if path.is_dir() {
            let (mut files, mut others) = (BTreeSet::new(), BTreeSet::new());
            for entry in WalkDir::new(path) {
                let entry = entry.map_err(|error| fail(error.into()))?;
                match entry.file_type() {
                    kind if kind.is_file() => _ = files.insert(entry.into_path()),
                    kind if kind.is_dir() => {}
                    _ => _ = others.insert(entry.into_path()),
                }
            }
            let sizes = files.iter().map(|file| file_size(file));
            let size = sizes.sum::<Result<u64>>()?;
            return Ok(Self { path: path.into(), store: Store::Folder { files, others }, size });
        }
        let store = Store::Zip(zip::open(path)?);
        Ok(Self { path: path.into(), store, size: file_size(path)? })
    }

    /// A member of at most `most` bytes, `None` where there is none.
    fn read(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        let read = match &mut self.store {
            Store::Zip(zip) => match zip.by_name(name) {
                Ok(member) => member.take(most).read_to_end(&mut bytes),
                Err(_) => return Ok(None),
            },
            Store::Folder { files, others } => {
                let member = self.path.join(name);
                if others.iter().any(|other| member.starts_with(other)) {
                    let reason =
                        format!("has {name}, which is not a regular file; replace it with one");
                    return Err(Error::unreadable(&self.path, reason));
                }
                if !files.contains(&member) {
                    return Ok(None);
                }
                open(&member)?.take(most).read_to_end(&mut bytes)
            }
        };
        read.map_err(|error| zip::member_failed(&self.path, error))?;
        Ok(Some(bytes))
    }

    /// The files in the folder; none of an archive, which is one file.
    pub(super) fn members(&self) -> Vec<PathBuf> {
        match &self.store {
            Store::Zip(_) => Vec::new(),
            Store::Folder { files, .. } => files.iter().cloned().collect(),
        }
    }

    /// Names of all members.
    fn names(&mut self) -> Vec<String> {
        match &mut self.store {
            Store::Zip(zip) => {
                zip.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect()
            }
            Store::Folder { files, .. } => {
                let below = files.iter().filter_map(|file| file.strip_prefix(&self.path).ok());
                let parts = |path: &Path| {
                    let parts: Option<Vec<_>> = path.iter().map(|part| part.to_str()).collect();
                    parts.map(|parts| parts.join("/"))
                };
                below.filter_map(parts).collect()
            }
        }
    }

    pub(super) fn json(&mut self, name: &str) -> Option<Value> {
        serde_json::from_slice(&self.read(name, MAX_METADATA).ok()??).ok()
    }

    /// Folders of the signals, `Experiments/NAME`.
    pub(super) fn signals(&mut self) -> Vec<String> {
        let place = |name: &String| {
            let place = name.strip_suffix("/data/.zarray")?;
            (place.starts_with("Experiments/") && place.split('/').count() == 2)
                .then(|| place.to_owned())
        };
        let mut places: Vec<String> = self.names().iter().filter_map(place).collect();
        places.sort();
        places.dedup();
        places
    }

    /// The unpacked bytes of a chunk, filled where it is not stored.
    pub(super) fn chunk(&mut self, name: &str, array: &Array, length: usize) -> Result<Vec<u8>> {
        // Packing adds some bytes to what cannot be packed.
        let most = (length as u64).saturating_mul(2).saturating_add(1 << 16);
        let Some(packed) = self.read(name, most)? else {
            return match array.fill_value.as_f64() {
                Some(0.0) | None => Ok(vec![0; length]),
                Some(_) => Err(Error::unreadable(
                    &self.path,
                    "leaves chunks out that are not 0, which is not read; save it as hspy",
                )),
            };
        };
        let id = array.compressor.as_ref().and_then(|settings| settings.get("id")?.as_str());
        let chunk = match (&array.compressor, id) {
            (None, _) => Some(packed),
            (_, Some("blosc")) => unblosc(&packed, length),
            (_, Some("zlib")) => inflate(ZlibDecoder::new(&packed[..]), length),
            (_, Some("gzip")) => inflate(GzDecoder::new(&packed[..]), length),
            (_, id) => {
                let id = id.unwrap_or("unknown");
                let reason = format!("is packed by {id}, which is not read; save it as hspy");
                return Err(Error::unreadable(&self.path, reason));
            }
        };
        let wrong = "a chunk that cannot be unpacked";
        chunk.filter(|chunk| chunk.len() == length).ok_or_else(|| damaged(&self.path, wrong))
    }
}

fn unblosc(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut chunk = vec![0; length];
    let unpacked = blusc::blosc2_decompress(packed, &mut chunk);
    (usize::try_from(unpacked) == Ok(length)).then_some(chunk)
}

fn inflate(packed: impl Read, length: usize) -> Option<Vec<u8>> {
    let mut chunk = Vec::new();
    packed.take(length as u64 + 1).read_to_end(&mut chunk).ok()?;
    Some(chunk)
}
