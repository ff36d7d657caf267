//! Tables as Kafka's tools print them.

/// Cells padded to their column, each with a tab behind it (`ToolsUtils.prettyPrintTable`).
pub fn tabbed(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}\t"));
        cells.collect::<String>() + "\n"
    };
    rows.iter().map(line).collect()
}

/// A row of cells.
pub fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [row(&["A", "Name"]), row(&["long", "x"])];
        assert_eq!(tabbed(&rows), "A   \tName\t\nlong\tx   \t\n");
    }
}
