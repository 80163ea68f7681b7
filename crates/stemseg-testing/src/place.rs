//! A folder of its own for each test, and the images in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ndarray::{Array, Array2, Dimension};
use serde_json::Value;
use tempfile::TempDir;

use crate::npy::{self, Npy};

/// Rows and columns of [`scene`].
pub const ROWS: usize = 90;
pub const COLS: usize = 100;

/// Two lattices side by side, with a little noise.
pub fn scene(rows: usize, cols: usize) -> Array2<f32> {
    let wave = |x: usize, period: f32| (std::f32::consts::TAU * x as f32 / period).sin();
    Array2::from_shape_fn((rows, cols), |(r, c)| {
        let noise = ((r * 7919 + c * 104_729) % 1009) as f32 / 10_090.0;
        match c < cols / 2 {
            true => wave(r, 6.0) + wave(c, 6.0) + noise,
            false => wave(r + c, 9.0) * wave(2 * c + 300 - r, 7.0) + noise,
        }
    })
}

/// A temporary folder.
pub struct Place(TempDir);

impl Place {
    pub fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With the scene as `image.npy`.
    pub fn with_scene() -> Self {
        let place = Self::empty();
        place.npy("image.npy", &scene(ROWS, COLS));
        place
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Writes `array` in C order.
    pub fn npy<T, D>(&self, name: impl AsRef<Path>, array: &Array<T, D>)
    where
        T: npy::Element,
        D: Dimension,
    {
        let bytes = npy::write(array.shape(), array.iter().copied());
        self.write(name, bytes);
    }

    /// A mask that takes everything out but what `keep` names.
    pub fn mask(&self, name: &str, keep: impl Fn(usize, usize) -> bool) {
        self.npy(name, &Array2::from_shape_fn((ROWS, COLS), |(r, c)| u8::from(!keep(r, c))));
    }

    pub fn bytes(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    pub fn json(&self, name: impl AsRef<Path>) -> Value {
        serde_json::from_slice(&self.bytes(name)).unwrap()
    }

    /// Shape and values of an array that stemseg wrote.
    pub fn array<T: npy::Element>(&self, name: impl AsRef<Path>) -> (Vec<u64>, Vec<T>) {
        let bytes = self.bytes(name);
        let file = Npy::parse(&bytes).unwrap();
        assert!(!file.fortran, "rows come first");
        (file.shape.iter().map(|&length| length as u64).collect(), file.values().unwrap())
    }

    /// A label map in u8.
    pub fn labels(&self, name: impl AsRef<Path>) -> Array2<u8> {
        let (shape, values) = self.array(name);
        Array2::from_shape_vec((shape[0] as usize, shape[1] as usize), values).unwrap()
    }

    /// Everything below, hidden things too: files with their bytes.
    pub fn snapshot(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        collect(self.0.path(), &mut found);
        found
    }
}

/// Names in a folder, hidden ones too, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|n| n.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap();
        if kind.is_dir() {
            collect(&path, found);
            found.insert(path, None);
        } else {
            let bytes = kind.is_file().then(|| fs::read(&path).unwrap());
            found.insert(path, bytes);
        }
    }
}
