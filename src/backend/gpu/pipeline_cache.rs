//! Compiled pipelines on disk, so that a driver need not compile them again in
//! each process. Whatever goes wrong with it, the work goes on without.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use wgpu::{AdapterInfo, Device, Features, PipelineCache};

/// Pipelines of one device: those that a file held, and those made since.
#[derive(Default)]
pub(super) struct Cache {
    stored: Option<Stored>,
}

struct Stored {
    cache: PipelineCache,
    file: PathBuf,
    /// What the file holds.
    saved: Mutex<Option<Vec<u8>>>,
}

/// The folder for pipelines of this user; none where `STEMSEG_PIPELINE_CACHE` is
/// `off` or the platform has no place for caches.
pub(super) fn folder() -> Option<PathBuf> {
    if std::env::var_os("STEMSEG_PIPELINE_CACHE").is_some_and(|v| v == "off") {
        return None;
    }
    dirs::cache_dir().map(|caches| caches.join("stemseg"))
}

impl Cache {
    /// What a device must be asked for to have a cache, if its adapter can.
    pub(super) fn features(adapter: &wgpu::Adapter, folder: Option<&Path>) -> Features {
        match folder {
            Some(_) => adapter.features() & Features::PIPELINE_CACHE,
            None => Features::empty(),
        }
    }

    /// The cache of `device` in `folder`; an empty one where there is none.
    pub(super) fn open(device: &Device, adapter: &AdapterInfo, folder: Option<&Path>) -> Self {
        let key = wgpu::util::pipeline_cache_key(adapter);
        let (Some(folder), Some(key)) = (folder, key) else { return Self::default() };
        if !device.features().contains(Features::PIPELINE_CACHE) {
            return Self::default();
        }
        let file = folder.join(key);
        let saved = std::fs::read(&file).ok();
        let cache = create(device, saved.as_deref());
        Self { stored: Some(Stored { cache, file, saved: Mutex::new(saved) }) }
    }

    /// For the descriptor of a pipeline.
    pub(super) fn pipelines(&self) -> Option<&PipelineCache> {
        self.stored.as_ref().map(|stored| &stored.cache)
    }

    /// Writes what was compiled since the file was read. A cache that cannot be
    /// written is only slower, so errors are dropped.
    pub(super) fn save(&self) {
        let Some(Stored { cache, file, saved }) = &self.stored else { return };
        let mut saved = saved.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let Some(data) = cache.get_data() else { return };
        if saved.as_ref() != Some(&data) {
            let _ = replace(file, &data);
            *saved = Some(data);
        }
    }
}

/// Writes `data` to `file` so that readers see all of it or the file as it was.
fn replace(file: &Path, data: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut temporary, data)?;
    temporary.persist(file)?;
    Ok(())
}

#[expect(unsafe_code, reason = "wgpu has no safe way to begin with stored pipelines")]
fn create(device: &Device, data: Option<&[u8]>) -> PipelineCache {
    let descriptor = wgpu::PipelineCacheDescriptor { label: Some("stemseg"), data, fallback: true };
    // SAFETY: the data must come from `PipelineCache::get_data`. Only `save` writes
    // the file, which is the user's own and is replaced whole, and its name holds
    // the adapter's vendor and device; wgpu checks the header it puts before the
    // driver's data (adapter, driver, length) and begins empty where it differs.
    unsafe { device.create_pipeline_cache(&descriptor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/cache");
        for data in [&b"one"[..], b"another"] {
            replace(&file, data).unwrap();
            assert_eq!(std::fs::read(&file).unwrap(), data);
        }
        let files = std::fs::read_dir(file.parent().unwrap()).unwrap().count();
        assert_eq!(files, 1, "no temporary file stays");
    }
}
