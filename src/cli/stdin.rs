//! Standard input, line by line.

use std::io::{self, Read as _};

use tokio::sync::mpsc;

/// Lines of standard input, a few at a time, read on a thread of their own: a wait for a line must not hold up what lingers.
/// An error is the last that comes.
pub fn read_stdin(ends: LineEnds) -> mpsc::Receiver<io::Result<Vec<Vec<u8>>>> {
    let (send, receive) = mpsc::channel(CHUNKS_AHEAD);
    std::thread::spawn(move || {
        let (mut input, mut cutter) = (io::stdin().lock(), LineCutter::new(ends));
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let read = match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let _ = send.blocking_send(Err(error));
                    return;
                }
            };
            let lines = cutter.cut(buffer.get(..read).unwrap_or_default());
            if !lines.is_empty() && send.blocking_send(Ok(lines)).is_err() {
                return;
            }
        }
        if let Some(line) = cutter.rest() {
            // Nobody reads any more when this fails: the tool has ended.
            let _ = send.blocking_send(Ok(vec![line]));
        }
    });
    receive
}

const CHUNKS_AHEAD: usize = 8;
const CHUNK_BYTES: usize = 64 << 10;

/// What ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnds {
    /// `\n`, `\r` or `\r\n`, as for Java's `BufferedReader`.
    Java,
    /// `\n` or `\r\n`; a `\r` elsewhere is the line's own.
    Newlines,
}

/// Cuts bytes into lines, which are bytes as they came.
#[derive(Clone, Debug)]
pub struct LineCutter {
    ends: LineEnds,
    open: Vec<u8>,
    after_return: bool,
}

impl LineCutter {
    fn new(ends: LineEnds) -> Self {
        Self { ends, open: Vec::new(), after_return: false }
    }

    /// The lines that these bytes end.
    pub fn cut(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for byte in bytes {
            match (byte, self.ends) {
                (b'\n', LineEnds::Java) if self.after_return => {}
                (b'\n' | b'\r', LineEnds::Java) => lines.push(std::mem::take(&mut self.open)),
                (b'\n', LineEnds::Newlines) => {
                    self.open.pop_if(|last| *last == b'\r');
                    lines.push(std::mem::take(&mut self.open));
                }
                _ => self.open.push(*byte),
            }
            self.after_return = *byte == b'\r';
        }
        lines
    }

    /// The last line, where the input did not end it.
    pub fn rest(self) -> Option<Vec<u8>> {
        (!self.open.is_empty()).then_some(self.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_in_java() {
        let mut cutter = LineCutter::new(LineEnds::Java);
        assert_eq!(cutter.cut(b"a\nb\r"), [b"a", b"b"]);
        assert_eq!(cutter.cut(b"\nc\rd\n\ne"), [&b"c"[..], b"d", b""]);
        assert_eq!(cutter.rest().as_deref(), Some(&b"e"[..]));
    }

    #[test]
    fn what_ends_no_line_belongs_to_it() {
        let mut cutter = LineCutter::new(LineEnds::Newlines);
        assert_eq!(cutter.cut(b"a\rb\nc\r"), [b"a\rb"]);
        assert_eq!(cutter.cut(b"\n\xff\xfe\n\n\r"), [&b"c"[..], b"\xff\xfe", b""]);
        assert_eq!(cutter.rest().as_deref(), Some(&b"\r"[..]));
    }
}
