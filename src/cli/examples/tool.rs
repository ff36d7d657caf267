//! Runs one tool without the broker around it: `cargo run -p cli --example tool -- kafka-topics --list ...`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else { return ExitCode::FAILURE };
    cli::run(name, rest, &model::Clock::system()).map_or(ExitCode::FAILURE, ExitCode::from)
}
