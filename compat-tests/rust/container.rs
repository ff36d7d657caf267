//! What the entry points of the image run, and `kafka-server-start`, without a container around them.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use model::Clock;

use crate::fixture::{PATIENCE, free_address, ottla};

/// The variables of one small node.
fn variables(address: SocketAddr, dir: &Path) -> Vec<(String, String)> {
    [
        ("KAFKA_LISTENERS", format!("PLAINTEXT://{address}")),
        ("KAFKA_LOG_DIRS", dir.join("data").display().to_string()),
        ("KAFKA_NUM_PARTITIONS", "3".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn container(step: &str, final_file: &Path, environment: &[(String, String)]) -> Command {
    let mut command = ottla();
    command.args(["container", step, "--final"]).arg(final_file);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asks until the node says that it is well.
async fn wait_until_healthy(final_file: &Path, environment: &[(String, String)]) {
    let clock = Clock::system();
    loop {
        let asked = container("health", final_file, environment).output().expect("ottla runs");
        if asked.status.success() {
            return;
        }
        assert!(clock.monotonic() < PATIENCE, "it is not well: {}", stderr(&asked));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn stop(mut process: Child) -> Option<i32> {
    let told = Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
    assert!(told.expect("kill runs").success());
    process.wait().expect("the process ends").code()
}

#[tokio::test]
async fn settings_are_written_down_started_from_and_asked_for_health() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let environment = variables(free_address(), dir.path());
    let final_file = dir.path().join("server.properties");

    let before = container("health", &final_file, &environment).output().expect("ottla runs");
    assert_eq!(before.status.code(), Some(1));
    assert!(stderr(&before).contains("does not answer"), "{}", stderr(&before));

    let configured = container("configure", &final_file, &environment).output().expect("ottla runs");
    assert!(configured.status.success(), "{}", stderr(&configured));
    let written = std::fs::read_to_string(&final_file).expect("the final file");
    assert!(written.contains("# KAFKA_NUM_PARTITIONS (environment)\nnum.partitions=3\n"), "{written}");

    let mut start = container("start", &final_file, &environment);
    let process = start.stdout(Stdio::null()).spawn().expect("ottla starts");
    wait_until_healthy(&final_file, &environment).await;
    assert_eq!(stop(process), Some(0));
}

#[test]
fn settings_that_are_wrong_are_told_by_the_names_that_were_typed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let final_file = dir.path().join("server.properties");
    let mut environment = variables(free_address(), dir.path());
    environment.push(("KAFKA_NUM_IO_THREADS".to_owned(), "many".to_owned()));
    for step in ["configure", "start"] {
        let refused = container(step, &final_file, &environment).output().expect("ottla runs");
        assert_eq!(refused.status.code(), Some(1));
        let sentence = "ottla: Invalid value many for configuration num.io.threads: Not a number of type INT \
                        (KAFKA_NUM_IO_THREADS (environment))";
        assert!(stderr(&refused).contains(sentence), "{}", stderr(&refused));
    }
    assert!(!final_file.exists() && !dir.path().join("data").exists());
}

#[tokio::test]
async fn kafka_server_start_obeys_its_file_and_overrides_alone() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("my.properties");
    let (address, data) = (free_address(), dir.path().join("data"));
    std::fs::write(&file, format!("listeners=PLAINTEXT://127.0.0.1:1\nlog.dirs={}\n", data.display()))
        .unwrap();
    let mut start = ottla();
    start.arg("/opt/kafka/bin/kafka-server-start.sh").arg(&file);
    start.args(["--override", &format!("listeners=PLAINTEXT://{address}")]);
    start.env("KAFKA_NUM_PARTITIONS", "not a number");
    let process = start.stdout(Stdio::null()).spawn().expect("ottla starts");
    wait_until_healthy(Path::new("/none"), &variables(address, dir.path())).await;
    assert_eq!(stop(process), Some(0));
    assert!(data.join("meta.properties").exists());
}

#[test]
fn a_tool_that_is_not_there_is_not_the_broker() {
    for name in ["kafka-jmx", "kafka-unheard-of.sh"] {
        let mut command = ottla();
        let refused = command.arg(format!("/opt/kafka/bin/{name}")).output().expect("ottla runs");
        assert_eq!(refused.status.code(), Some(1), "{name}: {}", stderr(&refused));
    }
}
