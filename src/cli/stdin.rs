//! Standard input, line by line.

use std::io::{self, Read as _};

use tokio::sync::mpsc;

/// Lines of standard input, a few at a time, read on a thread of their own: a wait for a line must not hold up what lingers.
/// An error is the last that comes.
pub fn read_stdin() -> mpsc::Receiver<io::Result<Vec<String>>> {
    let (send, receive) = mpsc::channel(CHUNKS_AHEAD);
    std::thread::spawn(move || {
        let (mut input, mut cutter) = (io::stdin().lock(), LineCutter::default());
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

/// Cuts bytes into lines that end with `\n`, `\r` or `\r\n`, as Java's `BufferedReader` does.
#[derive(Clone, Debug, Default)]
pub struct LineCutter {
    open: Vec<u8>,
    after_return: bool,
}

impl LineCutter {
    /// The lines that these bytes end.
    pub fn cut(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' if self.after_return => {}
                b'\n' | b'\r' => lines.push(self.take()),
                _ => self.open.push(*byte),
            }
            self.after_return = *byte == b'\r';
        }
        lines
    }

    /// The last line, where the input did not end it.
    pub fn rest(mut self) -> Option<String> {
        (!self.open.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        let line = std::mem::take(&mut self.open);
        String::from_utf8(line).unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_in_java() {
        let mut cutter = LineCutter::default();
        assert_eq!(cutter.cut(b"a\nb\r"), ["a", "b"]);
        assert_eq!(cutter.cut(b"\nc\rd\n\ne"), ["c", "d", ""]);
        assert_eq!(cutter.rest().as_deref(), Some("e"));
    }
}
