//! How much memory this process may still take: what the machine has free, what its control
//! groups leave, and its own limits.

use std::path::{Path, PathBuf};

/// Bytes that this process can still be given; nothing where the system does not tell.
pub fn available() -> Option<u64> {
    let limits = [machine(), control_groups(Path::new("/")), own()];
    limits.into_iter().flatten().min()
}

/// What is free on the whole machine.
fn machine() -> Option<u64> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory();
    Some(system.available_memory()).filter(|&free| free > 0)
}

/// What the control groups of this process leave (containers, services, jobs of a cluster),
/// the least of all that it is in. `root` is that of the file system.
fn control_groups(root: &Path) -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let (groups, mounts) = (read("proc/self/cgroup")?, read("proc/self/mountinfo")?);
    let free = groups.lines().filter_map(|line| {
        // As in `4:memory:/docker/1f` and, of the second version, `0::/user.slice`.
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next()?, parts.next()?);
        let kind = match controllers {
            "" => Kind::Second,
            some if some.split(',').any(|name| name == "memory") => Kind::First,
            _ => return None,
        };
        let (folder, mount) = folder(&mounts, group, kind)?;
        let within = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
        let above = folder.ancestors().take_while(|folder| folder.starts_with(&mount));
        above.filter_map(|folder| kind.left(&within(folder))).min()
    });
    free.min()
}

/// The two versions of control groups.
#[derive(Clone, Copy)]
enum Kind {
    First,
    Second,
}

impl Kind {
    /// What the group of this folder leaves, where it has a limit.
    fn left(self, folder: &Path) -> Option<u64> {
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
        let number = |name: &str| text(name)?.trim().parse::<u64>().ok();
        // The cache of files is given up where memory is needed.
        let cache = |key: &str| {
            let statistics = text("memory.stat")?;
            let mut lines = statistics.lines().filter_map(|line| line.split_once(' '));
            lines.find(|(name, _)| *name == key)?.1.trim().parse::<u64>().ok()
        };
        let (limit, used, cache) = match self {
            Self::First => (
                number("memory.limit_in_bytes")?,
                number("memory.usage_in_bytes")?,
                cache("total_inactive_file"),
            ),
            Self::Second => {
                // Above the high mark a group is slowed down until it barely moves.
                let limits = ["memory.max", "memory.high"].map(number);
                let limit = limits.into_iter().flatten().min()?;
                (limit, number("memory.current")?, cache("inactive_file"))
            }
        };
        Some(limit.saturating_sub(used.saturating_sub(cache.unwrap_or(0))))
    }
}

/// The folder of `group`, and where the hierarchy it belongs to is mounted.
fn folder(mounts: &str, group: &str, kind: Kind) -> Option<(PathBuf, PathBuf)> {
    mounts.lines().find_map(|line| {
        // `36 25 0:32 ROOT POINT options - TYPE source more`
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let of_kind = match (kind, after.next()?) {
            (Kind::Second, "cgroup2") => true,
            (Kind::First, "cgroup") => {
                after.nth(1)?.split(',').any(|controller| controller == "memory")
            }
            _ => false,
        };
        let mut before = before.split(' ').skip(3);
        let (top, point) = (before.next()?, before.next()?);
        // In a container the hierarchy may begin with its own group.
        let below = Path::new(group).strip_prefix(top).unwrap_or(Path::new(""));
        of_kind.then(|| (Path::new(point).join(below), PathBuf::from(point)))
    })
}

/// What the process's limits on address space and data leave (`ulimit -v`, `ulimit -d`).
#[cfg(target_os = "linux")]
fn own() -> Option<u64> {
    use rustix::process::{Resource, getrlimit};
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let taken = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        Some(1024 * line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?)
    };
    let left = |resource, key| Some(getrlimit(resource).current?.saturating_sub(taken(key)?));
    let both = [left(Resource::As, "VmSize:"), left(Resource::Data, "VmData:")];
    both.into_iter().flatten().min()
}

#[cfg(not(target_os = "linux"))]
fn own() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A file system with these files.
    fn files(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        root
    }

    #[test]
    fn control_groups_of_the_second_version_count_with_all_above() {
        let root = files(&[
            ("proc/self/cgroup", "0::/jobs/one\n"),
            (
                "proc/self/mountinfo",
                "25 24 0:22 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n",
            ),
            ("sys/fs/cgroup/jobs/memory.max", "314572800\n"),
            ("sys/fs/cgroup/jobs/memory.high", "max\n"),
            ("sys/fs/cgroup/jobs/memory.current", "209715200\n"),
            ("sys/fs/cgroup/jobs/memory.stat", "anon 1\ninactive_file 104857600\n"),
            ("sys/fs/cgroup/jobs/one/memory.max", "max\n"),
            ("sys/fs/cgroup/jobs/one/memory.current", "1048576\n"),
        ]);
        assert_eq!(control_groups(root.path()), Some(200 * MIB));
        std::fs::write(root.path().join("sys/fs/cgroup/jobs/one/memory.high"), "3145728").unwrap();
        assert_eq!(control_groups(root.path()), Some(2 * MIB));
    }

    #[test]
    fn control_groups_of_the_first_version_may_begin_with_that_of_a_container() {
        let of = |top: &str, folder: &str| {
            let mounts = format!(
                "25 24 0:22 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                 26 24 0:23 {top} /sys/fs/cgroup/memory rw shared:1 - cgroup cgroup rw,memory\n"
            );
            let root = files(&[
                ("proc/self/cgroup", "5:cpu:/docker/1f\n4:memory:/docker/1f\n0::/\n"),
                ("proc/self/mountinfo", &mounts),
                (&format!("{folder}/memory.limit_in_bytes"), "104857600\n"),
                (&format!("{folder}/memory.usage_in_bytes"), "52428800\n"),
            ]);
            control_groups(root.path())
        };
        assert_eq!(of("/", "sys/fs/cgroup/memory/docker/1f"), Some(50 * MIB));
        assert_eq!(of("/docker/1f", "sys/fs/cgroup/memory"), Some(50 * MIB));
        assert_eq!(of("/", "sys/fs/cgroup/elsewhere"), None, "no limit");
    }

    #[test]
    fn this_machine_has_some_memory() {
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
    }
}
