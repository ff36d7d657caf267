//! What people see: tables whose columns stand under each other, and colour where it is wanted.

/// How a cell stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// It does not.
    #[default]
    Plain,
    /// A heading or a name.
    Strong,
    /// Of less weight.
    Dim,
    /// As it should be.
    Good,
    /// Worth a look.
    Notable,
    /// Wrong.
    Bad,
}

impl Tone {
    /// Paints a text, where there is colour.
    pub fn paint(self, text: &str, has_colour: bool) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Strong => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Notable => "33",
            Self::Bad => "31",
        };
        if has_colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// The same in another tone.
    pub fn in_tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }
}

/// A plain cell; numbers and texts alike.
pub fn cell(text: impl ToString) -> Cell {
    Cell { text: text.to_string(), tone: Tone::Plain }
}

/// A cell that may be empty: a dash.
pub fn maybe(text: Option<impl ToString>) -> Cell {
    text.map_or_else(|| cell("-").in_tone(Tone::Dim), cell)
}

/// A column's name, and whether its cells stand at its right.
type Head = (&'static str, bool);

/// A column of texts.
pub const fn left(name: &'static str) -> Head {
    (name, false)
}

/// A column of numbers.
pub const fn right(name: &'static str) -> Head {
    (name, true)
}

/// Rows under heads.
#[derive(Clone, Debug, Default)]
pub struct Table {
    heads: Vec<Head>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new(heads: &[Head]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Its lines: columns two blanks apart, none behind the last.
    pub fn text(&self, has_colour: bool) -> String {
        let heads: Vec<Cell> = self.heads.iter().map(|(name, _)| cell(name).in_tone(Tone::Strong)).collect();
        let mut widths = vec![0; self.heads.len()];
        for row in self.rows.iter().chain([&heads]) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.chars().count());
            }
        }
        let mut text = String::new();
        for row in [&heads].into_iter().chain(&self.rows) {
            text.push_str(&self.line(row, &widths, has_colour));
            text.push('\n');
        }
        text
    }

    fn line(&self, row: &[Cell], widths: &[usize], has_colour: bool) -> String {
        let mut line = String::new();
        let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
        for (index, ((cell, width), (_, is_right))) in row.iter().zip(widths).zip(&self.heads).enumerate() {
            let blanks = " ".repeat(width.saturating_sub(cell.text.chars().count()));
            let painted = cell.tone.paint(&cell.text, has_colour && !cell.text.is_empty());
            if *is_right {
                line.push_str(&blanks);
            }
            line.push_str(&painted);
            if index >= last {
                break;
            }
            if !*is_right {
                line.push_str(&blanks);
            }
            line.push_str("  ");
        }
        line
    }
}

/// `1 record`, `2 records`.
pub fn plural(count: impl Into<i64>, word: &str) -> String {
    let count = count.into();
    if count == 1 { format!("1 {word}") } else { format!("{} {word}s", grouped(count)) }
}

/// A number with its thousands apart: `1,234,567`.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes that JSON can say as text, or in base64 (RFC 4648).
pub fn text_or_base64(bytes: &[u8]) -> Result<String, String> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_not_text| base64(bytes))
}

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let joined = chunk.iter().fold(0_u32, |joined, byte| joined << 8 | u32::from(*byte));
        let joined = joined << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let six = (joined >> (18 - 6 * place)) & 0x3f;
            out.push(if place > chunk.len() { '=' } else { letter(six as u8) });
        }
    }
    out
}

fn letter(six: u8) -> char {
    char::from(match six {
        0..=25 => b'A' + six,
        26..=51 => b'a' + six - 26,
        52..=61 => b'0' + six - 52,
        62 => b'+',
        _ => b'/',
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let mut table = Table::new(&[left("NAME"), right("COUNT"), left("STATE")]);
        table.row([cell("orders"), cell(12), cell("Stable").in_tone(Tone::Good)]);
        table.row([cell("ä"), maybe(None::<i32>), cell("")]);
        assert_eq!(table.text(false), "NAME    COUNT  STATE\norders     12  Stable\nä           -\n");
        assert_eq!(
            table.text(true),
            "\x1b[1mNAME\x1b[0m    \x1b[1mCOUNT\x1b[0m  \x1b[1mSTATE\x1b[0m\n\
             orders     12  \x1b[32mStable\x1b[0m\nä           \x1b[2m-\x1b[0m\n"
        );
    }

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!((grouped(-999), grouped(1000)), ("-999".to_owned(), "1,000".to_owned()));
        assert_eq!(
            (plural(1, "record"), plural(0, "record")),
            ("1 record".to_owned(), "0 records".to_owned())
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        assert_eq!(text_or_base64("fünf".as_bytes()), Ok("fünf".to_owned()));
        for (bytes, text) in [(&[0xff][..], "/w=="), (&[0xff, 0xfe], "//4="), (&[0xff, 0xfe, 0], "//4A")] {
            assert_eq!(text_or_base64(bytes), Err(text.to_owned()));
        }
    }
}
