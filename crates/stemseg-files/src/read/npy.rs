//! numpy's npy and npz.
//!
//! Headers are parsed here: a crate that does it multiplies the declared shape unchecked
//! (a panic where overflow is checked), and recurses as deep as the file likes.

mod element;
mod header;
mod planes;

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use ::zip::CompressionMethod;

use self::header::{Header, MAGIC};
use super::zip::{self, Archive};
use super::{Entry, Format, Image, Images, MAX_COMPRESSION, failed, file_size, open, zspy_mark};
use stemseg::{Error, Result};

pub use planes::Planes;

/// One array in a file.
pub(super) struct Npy;

impl Format for Npy {
    fn name(&self) -> &'static str {
        "npy"
    }

    fn recognises(&self, head: &[u8]) -> bool {
        head.starts_with(MAGIC)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        let fail = |error| failed(path, error);
        let mut file = BufReader::new(open(path)?);
        let header = Header::read(&mut file).map_err(fail)?;
        let start = file.stream_position().map_err(fail)?;
        let entries = [header.entry("")];
        Ok(Box::new(Array { path: path.into(), header, start, entries }))
    }
}

/// An open array.
struct Array {
    path: PathBuf,
    header: Header,
    /// Offset of the first element.
    start: u64,
    entries: [Entry; 1],
}

impl Images for Array {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn load(&mut self, _entry: usize, frame: usize) -> Result<Image> {
        let fail = |error| failed(&self.path, error);
        let stored = file_size(&self.path)?.saturating_sub(self.start);
        self.header.check(&self.path, stored)?;
        let mut file = BufReader::new(open(&self.path)?);
        let start = self.start.saturating_add(self.header.skip(frame));
        file.seek(SeekFrom::Start(start)).map_err(fail)?;
        self.header.read_image(file, frame).map_err(fail)
    }
}

/// A zip archive of arrays.
pub(super) struct Npz;

impl Format for Npz {
    fn name(&self) -> &'static str {
        "npz"
    }

    fn recognises(&self, head: &[u8]) -> bool {
        head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
    }

    fn claims(&self, path: &Path) -> bool {
        !zspy_mark::is_zspy(path)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        let mut archive = zip::open(path)?;
        let members = members(path, &mut archive)?;
        if members.is_empty() {
            return Err(Error::unreadable(
                path,
                "is a zip archive without any .npy array; unpack it and give one image file",
            ));
        }
        let entry = |(index, name): &(usize, String)| {
            let mut member = archive.by_index(*index).map_err(|e| zip::unreadable(path, e))?;
            let header =
                Header::read(&mut member).map_err(|error| zip::member_failed(path, error))?;
            Ok(header.entry(name))
        };
        let entries = members.iter().map(entry).collect::<Result<_>>()?;
        let members = members.into_iter().map(|(index, _)| index).collect();
        Ok(Box::new(Arrays { path: path.into(), archive, members, entries }))
    }
}

/// An open archive.
struct Arrays {
    path: PathBuf,
    archive: Archive,
    /// Place of each array in the archive.
    members: Vec<usize>,
    entries: Vec<Entry>,
}

impl Images for Arrays {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn load(&mut self, entry: usize, frame: usize) -> Result<Image> {
        let path = &self.path;
        let fail = |error| zip::member_failed(path, error);
        let member = self.archive.by_index(self.members[entry]);
        let mut member = BufReader::new(member.map_err(|error| zip::unreadable(path, error))?);
        let header = Header::read(&mut member).map_err(fail)?;
        // The archive's own figures may lie as well; the file's length cannot.
        let packed = member.get_ref().compressed_size().min(file_size(path)?);
        let most = match member.get_ref().compression() {
            CompressionMethod::Stored => packed,
            _ => packed.saturating_mul(MAX_COMPRESSION),
        };
        header.check(path, member.get_ref().size().min(most))?;
        io::copy(&mut member.by_ref().take(header.skip(frame)), &mut io::sink()).map_err(fail)?;
        let image = header.read_image(&mut member, frame).map_err(fail)?;
        // At the end of a member its checksum is compared.
        member.read(&mut [0]).map_err(fail)?;
        Ok(image)
    }
}

/// Place in the archive and name of each array, in the order of the archive.
fn members(path: &Path, archive: &mut Archive) -> Result<Vec<(usize, String)>> {
    let mut members = Vec::new();
    for index in 0..archive.len() {
        let member = archive.by_index_raw(index).map_err(|error| zip::unreadable(path, error))?;
        let name = member.name().map_err(|error| zip::unreadable(path, error))?;
        members.extend(name.strip_suffix(".npy").map(|name| (index, name.to_owned())));
    }
    Ok(members)
}
