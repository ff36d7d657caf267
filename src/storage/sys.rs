//! System calls that no safe crate offers.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Appends to `out` up to `len` bytes of a file from `position`, as long as that needs no wait for the disk; answers
/// how many. 0 when the first of them is not in memory, or at the end of the file. A file system that cannot tell
/// refuses with [`io::ErrorKind::Unsupported`].
pub(crate) fn read_cached(
    file: BorrowedFd<'_>,
    out: &mut Vec<u8>,
    position: u64,
    len: usize,
) -> io::Result<usize> {
    let Ok(offset) = libc::off_t::try_from(position) else { return Ok(0) };
    out.reserve_exact(len);
    loop {
        let place = libc::iovec { iov_base: out.spare_capacity_mut().as_mut_ptr().cast(), iov_len: len };
        // SAFETY: `place` is spare capacity of `out` of at least `len` bytes, which nobody else can reach; the kernel
        // writes into it and reads nothing.
        let count = unsafe { libc::preadv2(file.as_raw_fd(), &raw const place, 1, offset, libc::RWF_NOWAIT) };
        if let Ok(count) = usize::try_from(count) {
            // SAFETY: the kernel has written that many bytes, which is at most `len`, behind the vector's end.
            unsafe { out.set_len(out.len() + count.min(len)) };
            return Ok(count);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EAGAIN) => return Ok(0),
            Some(libc::EINTR) => {}
            Some(libc::EOPNOTSUPP | libc::ENOSYS) => return Err(io::ErrorKind::Unsupported.into()),
            _ => return Err(error),
        }
    }
}

/// Whether every page of a range of a file is in the page cache. A kernel that cannot tell refuses with
/// [`io::ErrorKind::Unsupported`].
pub(crate) fn is_cached(file: BorrowedFd<'_>, position: u64, len: u64) -> io::Result<bool> {
    let range = [position, len];
    // Pages in the cache, dirty, in write-back, evicted, and evicted lately.
    let mut found = [0_u64; 5];
    // SAFETY: the kernel reads two and writes five numbers of 64 bits at these addresses, as `struct cachestat_range`
    // and `struct cachestat` have them.
    let result = unsafe {
        libc::syscall(CACHESTAT, file.as_raw_fd(), range.as_ptr(), found.as_mut_ptr(), 0 as libc::c_uint)
    };
    if result != 0 {
        return match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ENOSYS) => Err(io::ErrorKind::Unsupported.into()),
            error => Err(error),
        };
    }
    let page = rustix::param::page_size() as u64;
    let pages = (position + len).div_ceil(page) - position / page;
    Ok(found[0] >= pages)
}

/// `cachestat(2)`, of Linux 6.5; the same number on all architectures.
const CACHESTAT: libc::c_long = 451;
