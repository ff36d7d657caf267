//! Listeners of every kind on this machine, and what is said of them.

use bytes::Bytes;
use model::ErrorCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wire::StrBytes;
use wire::api_table::ApiKey;
use wire::api_versions::{ApiVersion, ApiVersionsResponse};
use wire::header::RequestHeader;
use wire::messages::metadata_response::MetadataResponseBroker;
use wire::messages::{BrokerId, MetadataResponse};
use wire::response::{self, Response};

use super::*;

/// How a listener of these tests behaves.
#[derive(Clone)]
enum Peer {
    /// A broker that has these brokers and, where there are any, wants a login by these mechanisms.
    Broker { cluster: &'static str, brokers: Vec<(i32, String, u16)>, mechanisms: Vec<&'static str> },
    /// A listener of a controller.
    Controller,
    /// Answers whatever it is sent with these bytes.
    Says(&'static [u8]),
    /// Answers a greeting of TLS with an alert, and hangs up on everything else.
    Tls,
    /// Takes connections and says nothing.
    Mute,
    /// Takes connections and closes them.
    HangsUp,
}

/// A listener and its port; it lives as long as the test.
async fn listen(peer: impl FnOnce(u16) -> Peer) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = peer(port);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let peer = peer.clone();
            tokio::spawn(async move { serve(stream, peer).await });
        }
    });
    port
}

async fn serve(mut stream: TcpStream, peer: Peer) -> Option<()> {
    if let Peer::HangsUp = peer {
        return None;
    }
    loop {
        let mut prefix = [0; 4];
        stream.read_exact(&mut prefix).await.ok()?;
        match &peer {
            Peer::Mute => std::future::pending().await,
            Peer::Says(bytes) => {
                stream.write_all(bytes).await.ok()?;
                // Without a reset, which would take the answer with it.
                while stream.read(&mut [0; 256]).await.ok()? > 0 {}
                return None;
            }
            Peer::Tls if prefix[0] == 0x16 => {
                stream.write_all(&[0x15, 3, 3, 0, 2, 2, 40]).await.ok()?;
                while stream.read(&mut [0; 256]).await.ok()? > 0 {}
                return None;
            }
            Peer::Tls | Peer::HangsUp => return None,
            Peer::Broker { .. } | Peer::Controller => {
                let mut frame = vec![0; usize::try_from(u32::from_be_bytes(prefix)).unwrap()];
                stream.read_exact(&mut frame).await.ok()?;
                stream.write_all(&reply(&peer, frame.into())?).await.ok()?;
            }
        }
    }
}

/// The answer of a broker; nothing closes the connection.
fn reply(peer: &Peer, frame: Bytes) -> Option<Vec<u8>> {
    let (header, _body) = RequestHeader::parse(frame).ok()?;
    let encoded = |response| Some(response::encode(&header, response).unwrap().to_bytes().to_vec());
    match (header.api_key, peer) {
        (ApiKey::ApiVersions, _) => {
            let mut told = ApiVersionsResponse::refused(ErrorCode::None);
            let mut keys = vec![ApiKey::SaslHandshake, ApiKey::ApiVersions];
            if matches!(peer, Peer::Broker { .. }) {
                keys.insert(0, ApiKey::Metadata);
            }
            told.api_keys = keys
                .iter()
                .map(|key| ApiVersion {
                    api_key: key.code(),
                    min_version: key.spec().min,
                    max_version: key.spec().max,
                })
                .collect();
            encoded(Response::ApiVersions(told))
        }
        (ApiKey::Metadata, Peer::Broker { cluster, brokers, mechanisms }) if mechanisms.is_empty() => {
            let brokers = brokers.iter().map(|(id, host, port)| {
                MetadataResponseBroker::default()
                    .with_node_id(BrokerId(*id))
                    .with_host(StrBytes::from_string(host.clone()))
                    .with_port(i32::from(*port))
            });
            let told = MetadataResponse::default()
                .with_brokers(brokers.collect())
                .with_cluster_id(Some(StrBytes::from_static_str(cluster)));
            encoded(Response::Metadata(Box::new(told)))
        }
        (ApiKey::SaslHandshake, Peer::Broker { mechanisms, .. }) => {
            let code: i16 = if mechanisms.is_empty() { 34 } else { 33 };
            let mut body = header.correlation_id.to_be_bytes().to_vec();
            body.extend_from_slice(&code.to_be_bytes());
            body.extend_from_slice(&u32::try_from(mechanisms.len()).unwrap().to_be_bytes());
            for mechanism in mechanisms {
                body.extend_from_slice(&u16::try_from(mechanism.len()).unwrap().to_be_bytes());
                body.extend_from_slice(mechanism.as_bytes());
            }
            let mut whole = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
            whole.extend_from_slice(&body);
            Some(whole)
        }
        _ => None,
    }
}

fn broker(brokers: &[(i32, &str, u16)]) -> Peer {
    let brokers = brokers.iter().map(|(id, host, port)| (*id, (*host).to_owned(), *port)).collect();
    Peer::Broker { cluster: "here", brokers, mechanisms: Vec::new() }
}

/// A port that nobody listens at.
async fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// Long enough for a machine that is busy; only who says nothing is waited for so long.
const LONG_MS: u64 = 20_000;

async fn examined(bootstrap: &str, properties: &[&str], patience_ms: u64) -> Diagnosis {
    let mut all = Properties::default();
    all.extend(&properties.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
    let bootstrap = bootstrap.split(',').map(str::to_owned).collect();
    diagnose(&Case { bootstrap, properties: all, patience: Duration::from_millis(patience_ms) }).await
}

/// The names of what was found, warnings in brackets.
fn codes(diagnosis: &Diagnosis) -> Vec<String> {
    let shown = |one: &Finding| match one.weight {
        Weight::Problem => one.code.to_owned(),
        Weight::Warning => format!("({})", one.code),
    };
    diagnosis.findings.iter().map(shown).collect()
}

/// What is found at one such listener, by a client with these properties.
async fn found_at(peer: Peer, properties: &[&str]) -> Diagnosis {
    let port = listen(|_| peer).await;
    examined(&format!("127.0.0.1:{port}"), properties, LONG_MS).await
}

#[tokio::test]
async fn a_broker_that_is_reached_where_it_is_advertised_is_well() {
    let port = listen(|port| broker(&[(1, "127.0.0.1", port)])).await;
    let diagnosis = examined(&format!("127.0.0.1:{port}"), &[], LONG_MS).await;
    assert_eq!(codes(&diagnosis), [""; 0]);
    assert_eq!(diagnosis.cluster_id.as_deref(), Some("here"));
    let text = diagnosis.text();
    assert!(text.contains("answers as a Kafka broker of cluster here.\n"), "{text}");
    assert!(text.ends_with("nothing found: clients can connect\n"), "{text}");
}

#[tokio::test]
async fn an_advertised_name_that_is_none_is_a_problem() {
    let port = listen(|_| broker(&[(1, "kafka.invalid", 9092)])).await;
    let diagnosis = examined(&format!("127.0.0.1:{port}"), &[], LONG_MS).await;
    assert_eq!(codes(&diagnosis), ["advertised-name-unknown"]);
    let sentence = diagnosis.findings[0].to_string();
    let begin = format!("Broker 1, which 127.0.0.1:{port} advertises as kafka.invalid:9092, cannot be found");
    assert!(sentence.starts_with(&begin) && sentence.contains("advertised.listeners"), "{sentence}");
}

#[tokio::test]
async fn an_advertised_port_that_is_closed_is_a_port_mapping() {
    let closed = closed_port().await;
    let port = listen(|_| broker(&[(1, "localhost", closed)])).await;
    let diagnosis = examined(&format!("127.0.0.1:{port}"), &[], LONG_MS).await;
    assert_eq!(codes(&diagnosis), ["advertised-port-closed"]);
    let mend = &diagnosis.findings[0].mend;
    assert!(
        mend.contains(&format!("publish {closed}:{closed}")) && mend.contains(&port.to_string()),
        "{mend}"
    );
}

#[tokio::test]
async fn advertised_addresses_of_others_are_told_apart() {
    let tls = listen(|_| Peer::Tls).await;
    let web = listen(|_| Peer::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let other = listen(|port| Peer::Broker {
        cluster: "another",
        brokers: vec![(1, "127.0.0.1".to_owned(), port)],
        mechanisms: Vec::new(),
    });
    let other = other.await;
    let login =
        listen(|_| Peer::Broker { cluster: "here", brokers: Vec::new(), mechanisms: vec!["PLAIN"] }).await;
    let controller = listen(|_| Peer::Controller).await;
    let ports = [tls, web, other, login, controller, 9092];
    let mut brokers: Vec<(i32, &str, u16)> =
        (0..).zip(ports).map(|(id, port)| (id, "127.0.0.1", port)).collect();
    brokers[5].1 = "0.0.0.0";
    let port = listen(|_| broker(&brokers)).await;
    let diagnosis = examined(&format!("127.0.0.1:{port}"), &[], LONG_MS).await;
    let want = [
        "advertised-wrong-listener",
        "advertised-not-the-broker",
        "advertised-other-cluster",
        "advertised-wrong-listener",
        "advertised-wrong-listener",
        "advertised-unspecified",
    ];
    assert_eq!(codes(&diagnosis), want, "{}", diagnosis.text());
}

#[tokio::test]
async fn nobody_and_names_that_are_none_and_what_is_no_address() {
    let port = closed_port().await;
    let diagnosis = examined(&format!("127.0.0.1:{port}"), &[], LONG_MS).await;
    assert_eq!(codes(&diagnosis), ["nobody-listens"]);
    assert!(diagnosis.findings[0].mend.contains(&format!("-p {port}:{port}")), "{}", diagnosis.text());
    assert_eq!(codes(&examined("kafka.invalid:9092", &[], LONG_MS).await), ["name-unknown"]);
    assert_eq!(codes(&examined("localhost", &[], LONG_MS).await), ["address-malformed"]);
}

#[tokio::test]
async fn tls_and_plaintext_are_told_apart_in_both_directions() {
    assert_eq!(codes(&found_at(Peer::Tls, &[]).await), ["tls-listener"]);
    assert_eq!(codes(&found_at(Peer::Says(&[0x15, 3, 1, 0, 2, 2, 10]), &[]).await), ["tls-listener"]);
    let unseen = found_at(Peer::Tls, &["security.protocol=SSL"]).await;
    assert_eq!(codes(&unseen), ["(tls-not-looked-into)"]);
    assert!(unseen.text().ends_with("no problem as far as could be seen, 1 warning\n"), "{}", unseen.text());
    let spoken = found_at(broker(&[(1, "127.0.0.1", 9092)]), &["security.protocol=SASL_SSL"]).await;
    assert_eq!(codes(&spoken), ["plaintext-listener"]);
    assert!(spoken.findings[0].mend.contains("security.protocol=SASL_PLAINTEXT"), "{}", spoken.text());
}

#[tokio::test]
async fn logins_are_told_apart() {
    let wants =
        Peer::Broker { cluster: "here", brokers: Vec::new(), mechanisms: vec!["PLAIN", "SCRAM-SHA-256"] };
    let diagnosis = found_at(wants.clone(), &[]).await;
    assert_eq!(codes(&diagnosis), ["login-wanted"]);
    assert!(diagnosis.findings[0].what.contains("PLAIN, SCRAM-SHA-256"), "{}", diagnosis.text());
    let sasl = "security.protocol=SASL_PLAINTEXT";
    assert_eq!(codes(&found_at(wants.clone(), &[sasl]).await), ["mechanism-unknown"]);
    assert_eq!(codes(&found_at(wants, &[sasl, "sasl.mechanism=PLAIN"]).await), ["(login-not-tried)"]);
    assert_eq!(codes(&found_at(broker(&[(1, "127.0.0.1", 9092)]), &[sasl]).await), ["no-login"]);
}

#[tokio::test]
async fn what_is_no_broker_is_told_apart() {
    let web = found_at(Peer::Says(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n"), &[]).await;
    assert_eq!(codes(&web), ["http-server"]);
    assert!(web.findings[0].what.contains("(HTTP/1.1 400 Bad Request)"), "{}", web.text());
    let shell = found_at(Peer::Says(b"SSH-2.0-OpenSSH_9.2\r\n"), &[]).await;
    assert_eq!(codes(&shell), ["not-kafka"]);
    assert!(shell.findings[0].what.contains("\"SSH-2.0-OpenSSH_9.2\""), "{}", shell.text());
    assert_eq!(codes(&found_at(Peer::HangsUp, &[]).await), ["hangs-up"]);
    assert_eq!(codes(&found_at(Peer::Controller, &[]).await), ["controller-listener"]);
    assert_eq!(codes(&found_at(broker(&[]), &[]).await), ["no-brokers"]);
}

#[tokio::test]
async fn who_takes_connections_and_says_nothing_is_not_waited_for() {
    let port = listen(|_| Peer::Mute).await;
    let diagnosis = examined(&format!("127.0.0.1:{port}"), &[], 300).await;
    assert_eq!(codes(&diagnosis), ["no-answer"]);
}

#[tokio::test]
async fn one_address_that_works_makes_the_others_warnings() {
    let closed = closed_port().await;
    let port = listen(|port| broker(&[(1, "127.0.0.1", port)])).await;
    let diagnosis = examined(&format!("127.0.0.1:{closed},127.0.0.1:{port}"), &[], LONG_MS).await;
    assert_eq!(codes(&diagnosis), ["(nobody-listens)"]);
    assert!(diagnosis.text().ends_with("clients can connect, 1 warning\n"), "{}", diagnosis.text());
}

#[tokio::test]
async fn the_object_says_what_the_text_says() {
    let diagnosis = found_at(Peer::Tls, &[]).await;
    let told = diagnosis.json();
    assert_eq!((&told["problems"], &told["warnings"]), (&1.into(), &0.into()));
    let finding = &told["findings"][0];
    assert_eq!((&finding["severity"], &finding["code"]), (&"problem".into(), &"tls-listener".into()));
    assert_eq!(finding["sentence"], diagnosis.findings[0].to_string());
}

#[test]
fn addresses_are_read_as_clients_read_them() {
    let shown = |text| Address::parse(text).map(|address| address.to_string());
    assert_eq!(shown("PLAINTEXT://[::1]:9092").as_deref(), Some("[::1]:9092"));
    assert_eq!(shown("kafka:9092").as_deref(), Some("kafka:9092"));
    for bad in ["kafka", ":9092", "kafka:", "kafka:0", "kafka:70000"] {
        assert_eq!(shown(bad), None, "{bad}");
    }
}
