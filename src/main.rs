//! The `ottla` binary: picks what to run from its arguments and wires it.

fn main() -> anyhow::Result<()> {
    Ok(())
}
