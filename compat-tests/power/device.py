#!/usr/bin/env python3
"""A disk whose power can be cut: a filesystem of its own in a loop-mounted image, and the ioctl by which it stops at once.

    device.py check [ext4|xfs]                says in one line why there can be none here, and exits with 3
    device.py make DIR [ext4|xfs] [OPTIONS]   an empty filesystem, mounted on DIR (OPTIONS are those of mount)
    device.py cut DIR                         the power fails: what is not on the disk by now never will be
    device.py restore DIR                     it is back: unmounts and mounts DIR, so that the journal is replayed
    device.py close DIR                       unmounts DIR and removes the image

From Python: `with Device(path) as device: ... device.cut(); ...; device.restore()`.

Whoever writes to the disk gets EIO after the cut; end it before `restore`, which waits for open files to be closed. The
image is DIR.image, beside the mount point; 2 GiB, sparse. It shows what a kernel keeps in memory until it is synced:
file contents, sizes, names. It does not tear a single sector, nor reorder what the disk itself has taken.
"""

import errno
import fcntl
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time

# EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are one number, and so is the flag "do not flush the log first".
IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
IMAGE_BYTES = 2 << 30  # mkfs.xfs takes no less than 300 MiB
PACKAGES = {"ext4": "e2fsprogs", "xfs": "xfsprogs"}
MKFS = {
    "ext4": ["mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "lazy_itable_init=1,lazy_journal_init=1"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
}
CLOSE_SECONDS = 20


class Unavailable(Exception):
    """Why there is no such disk here."""


class Device:
    """A filesystem on `path`, which is made where it does not exist; `options` are those of mount."""

    def __init__(self, path, kind="ext4", options="", size=IMAGE_BYTES):
        self.path = os.path.abspath(path)
        self.kind = kind
        self.options = options
        self.size = size

    @property
    def image(self):
        return f"{self.path}.image"

    def __enter__(self):
        self.make()
        return self

    def __exit__(self, *_):
        self.close()

    def make(self):
        """Makes the filesystem and mounts it."""
        _command(MKFS[self.kind][0], self.kind)
        os.makedirs(self.path, exist_ok=True)
        with open(self.image, "wb") as image:
            image.truncate(self.size)
        _run(*MKFS[self.kind], self.image)
        with open(f"{self.image}.mount", "w", encoding="utf-8") as noted:
            noted.write(f"{self.kind}\n{self.options}\n")
        self._mount()
        if self.kind == "ext4":
            # Brokers take every directory of theirs for a partition.
            os.rmdir(os.path.join(self.path, "lost+found"))
            self.sync()

    def cut(self):
        """From here on nothing reaches the disk, and every write and sync fails."""
        there = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(there, IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(there)

    def restore(self):
        """What the disk holds, after its journal was replayed."""
        self._unmount()
        self._mount()

    def close(self):
        """Unmounts and removes the image; the directory stays, empty."""
        if os.path.ismount(self.path):
            try:
                self._unmount()
            except RuntimeError as error:
                print(error, file=sys.stderr)
        for path in [self.image, f"{self.image}.mount"]:
            if os.path.exists(path):
                os.remove(path)

    def sync(self):
        """Names in the root of the filesystem are on the disk."""
        there = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(there)
        os.close(there)

    def _mount(self):
        options = ",".join(filter(None, ["loop", self.options]))
        _run("mount", "-t", self.kind, "-o", options, self.image, self.path)

    def _unmount(self):
        deadline = time.monotonic() + CLOSE_SECONDS
        while (done := subprocess.run(["umount", self.path], capture_output=True, text=True, check=False)).returncode != 0:
            if time.monotonic() > deadline:
                # The next run must not find it.
                subprocess.run(["umount", "-l", self.path], check=False)
                raise RuntimeError(f"{self.path} is still in use: {done.stderr.strip()}")
            time.sleep(0.05)
        # A mount namespace that was made meanwhile keeps the filesystem, dead as it is, and the next mount would be of that.
        while self._loops():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.image} is still mounted in another namespace, as {self._loops()}")
            time.sleep(0.02)

    def _loops(self):
        return subprocess.run(["losetup", "-n", "-O", "NAME", "-j", self.image], capture_output=True, text=True, check=True).stdout.strip()


def opened(path):
    """The device that `make` of an earlier process left on `path`."""
    device = Device(path)
    try:
        with open(f"{device.image}.mount", encoding="utf-8") as noted:
            device.kind, device.options = noted.read().splitlines()
    except FileNotFoundError:
        raise SystemExit(f"no device was made on {path}") from None
    return device


def check(kind="ext4"):
    """Raises `Unavailable` unless a device of this kind can be made, mounted and cut here."""
    if os.geteuid() != 0:
        raise Unavailable("loop devices need root")
    home = tempfile.mkdtemp(prefix="ottla-power-")
    device = Device(os.path.join(home, "disk"), kind)
    try:
        device.make()
        lost = os.path.join(device.path, "lost")
        with open(lost, "w", encoding="utf-8") as out:
            out.write("never synced")
        device.cut()
        try:
            with open(lost, "a", encoding="utf-8") as out:
                out.write("too late")
        except OSError as error:
            if error.errno != errno.EIO:
                raise
        device.restore()
        if os.path.exists(lost):
            raise Unavailable(f"{kind} keeps what was not synced when it is shut down")
    except OSError as error:
        raise Unavailable(f"{kind} cannot be shut down: {error}") from error
    except subprocess.CalledProcessError as error:
        what = " ".join(error.cmd[:3])
        raise Unavailable(f"{what} ... is refused: {error.stderr.strip()}") from error
    finally:
        try:
            device.close()
        except OSError:
            pass
        shutil.rmtree(home, ignore_errors=True)


def _command(name, kind):
    path = os.environ.get("PATH", "")
    if shutil.which(name, path=f"{path}:/usr/sbin:/sbin") is None:
        raise Unavailable(f"there is no {name}: install {PACKAGES[kind]}")


def _run(*command):
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    subprocess.run(command, check=True, capture_output=True, text=True, env=environment)


def main():
    what, *arguments = sys.argv[1:] or ["help"]
    if what == "check":
        try:
            check(*arguments)
        except Unavailable as error:
            print(error)
            sys.exit(3)
    elif what == "make":
        Device(*arguments).make()
    elif what in ("cut", "restore", "close"):
        getattr(opened(*arguments), what)()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
