//! Where a home may lie.

use std::path::Path;

use crate::model::Fault;

/// Refuses a home on a filesystem whose locks do not hold between machines, or which cannot share
/// the memory of a write-ahead log: state would be lost without a word.
pub(super) fn refuse_network(home: &Path) -> Result<(), Fault> {
    // What is not there yet will lie where its nearest existing parent lies.
    let home = std::path::absolute(home).unwrap_or_else(|_| home.to_owned());
    let existing = home.ancestors().find(|path| path.exists()).unwrap_or(&home);
    match network_name(existing) {
        None => Ok(()),
        Some(name) => {
            let message = format!("the home `{}` is on a network filesystem ({name})", home.display());
            Err(Fault::user("home.network", message)
                .help("locks and the state's log need a local disk; choose one with --home or MILLWORK_HOME"))
        }
    }
}

#[cfg(target_os = "linux")]
fn network_name(path: &Path) -> Option<String> {
    // Magic numbers of `statfs(2)`.
    const NETWORK: &[(u32, &str)] = &[
        (0x6969, "nfs"),
        (0x517b, "smb"),
        (0xff53_4d42, "cifs"),
        (0xfe53_4d42, "smb2"),
        (0x5346_414f, "afs"),
        (0x7375_7245, "coda"),
        (0x564c, "ncp"),
        (0x00c3_6400, "ceph"),
        (0x4750_4653, "gpfs"),
        (0x0bd0_0bd0, "lustre"),
        (0x7461_636f, "ocfs2"),
        (0x0116_1970, "gfs2"),
        (0x1983_0326, "beegfs"),
    ];
    const FUSE: u32 = 0x6573_5546;
    const P9: u32 = 0x0102_1997;
    let magic = rustix::fs::statfs(path).ok()?.f_type as u32;
    match magic {
        FUSE | P9 => {
            let table = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
            mounted_from_afar(&table, &path.canonicalize().ok()?)
        }
        _ => NETWORK.iter().find(|(number, _)| *number == magic).map(|(_, name)| (*name).to_owned()),
    }
}

#[cfg(not(target_os = "linux"))]
fn network_name(_path: &Path) -> Option<String> {
    None
}

/// FUSE and 9p are local in some places (containers, sandboxes) and not in others: the table of
/// mounts tells which.
#[cfg(any(target_os = "linux", test))]
fn mounted_from_afar(mountinfo: &str, path: &Path) -> Option<String> {
    const REMOTE_FUSE: &[&str] = &["sshfs", "s3fs", "gcsfuse", "rclone", "glusterfs", "juicefs", "blobfuse", "goofys"];
    let mounts = mountinfo.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let point = left.split(' ').nth(4)?.replace("\\040", " ");
        path.starts_with(&point).then_some((point.len(), right))
    });
    let (_, right) = mounts.max_by_key(|(length, _)| *length)?;
    let mut fields = right.split(' ');
    let (kind, source, options) = (fields.next()?, fields.next()?, fields.next().unwrap_or_default());
    let remote = match kind.strip_prefix("fuse.") {
        Some(name) => REMOTE_FUSE.iter().any(|remote| name.starts_with(remote)),
        // 9p: the drives of Windows under WSL, folders of a host in a virtual machine, servers.
        None => {
            kind == "9p"
                && (source == "drvfs"
                    || ["aname=drvfs", "trans=virtio", "trans=tcp"].iter().any(|option| options.contains(option)))
        }
    };
    remote.then(|| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_disk_is_accepted_also_before_it_is_made() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(refuse_network(&dir.path().join("a/b")), Ok(()));
    }

    #[test]
    fn mounts_tell_local_from_remote() {
        let table = "\
            21 1 8:1 / / rw - ext4 /dev/sda rw\n\
            22 21 0:4 / /mnt/far rw - fuse.sshfs me@host:/ rw\n\
            23 21 0:5 / /mnt/far/near rw - fuse.fuse-overlayfs none rw\n\
            24 21 0:6 / /mnt/c rw - 9p drvfs rw,aname=drvfs;path=C:\\\n\
            25 21 0:7 / /sandbox rw - 9p none rw,trans=fd,rfdno=4\n\
            26 21 0:8 / /with\\040space rw - fuse.rclone remote: rw\n";
        for (path, expected) in [
            ("/home", None),
            ("/mnt/far/x", Some("fuse.sshfs")),
            ("/mnt/far/near/x", None),
            ("/mnt/c/x", Some("9p")),
            ("/sandbox/x", None),
            ("/with space/x", Some("fuse.rclone")),
        ] {
            assert_eq!(mounted_from_afar(table, Path::new(path)).as_deref(), expected, "{path}");
        }
    }
}
