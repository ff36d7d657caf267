//! Testcontainers' Kafka module for Rust, with the image `ottla` in the place of those that it is made for.

use std::io::Write as _;
use std::process::{Command, Stdio};

use testcontainers_modules::kafka::apache::{KAFKA_PORT, Kafka};
use testcontainers_modules::testcontainers::runners::AsyncRunner;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let modules = [
        ("testcontainers-rust", Kafka::default()),
        ("testcontainers-rust-jvm-image", Kafka::default().with_jvm_image()),
    ];
    for (name, module) in modules {
        match functions(module).await {
            Ok(()) => println!("ok {name}"),
            Err(error) => println!("not ok {name}: {}", error.to_string().replace('\n', " | ")),
        }
    }
}

/// What the module's own test of each container does: records are sent to a new topic, and read.
async fn functions(module: Kafka) -> Outcome {
    let container = module.start().await?;
    let broker = format!("127.0.0.1:{}", container.get_host_port_ipv4(KAFKA_PORT).await?);
    const MESSAGES: &str = "foo\nbar\nbaz\n";
    kcat(&["-P", "-b", &broker, "-t", "test-topic"], MESSAGES)?;
    let read = kcat(&["-C", "-b", &broker, "-t", "test-topic", "-o", "beginning", "-e", "-q"], "")?;
    container.rm().await?;
    if read == MESSAGES { Ok(()) } else { Err(format!("read were {read:?}").into()) }
}

fn kcat(arguments: &[&str], input: &str) -> Result<String, Box<dyn std::error::Error>> {
    let mut command = Command::new("timeout");
    command.args(["60", "kcat"]).args(arguments);
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = running.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let done = running.wait_with_output()?;
    if !done.status.success() {
        return Err(format!("kcat ended with {}", done.status).into());
    }
    Ok(String::from_utf8(done.stdout)?)
}
