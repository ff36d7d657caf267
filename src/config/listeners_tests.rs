use super::*;

fn protocols() -> ProtocolMap {
    parse_protocol_map("PLAINTEXT:PLAINTEXT, internal : plaintext ,TC-0:SASL_SSL,A_B:SSL,C:sasl_plaintext")
        .unwrap()
}

fn parse(text: &str) -> Result<Vec<Listener>, String> {
    parse_listeners(text, &protocols(), true).map_err(|error| error.to_string())
}

fn listener(name: &str, host: Option<&str>, port: u16) -> Listener {
    let protocol = protocols()[name];
    Listener { name: name.to_owned(), host: host.map(str::to_owned), port, protocol }
}

#[test]
fn names_hosts_and_ports_are_told_apart() {
    let cases = [
        ("PLAINTEXT://:9092", listener("PLAINTEXT", None, 9092)),
        (" plaintext://0.0.0.0:9092 ", listener("PLAINTEXT", Some("0.0.0.0"), 9092)),
        ("INTERNAL://[::]:9092", listener("INTERNAL", Some("::"), 9092)),
        ("INTERNAL://::1:9092", listener("INTERNAL", Some("::1"), 9092)),
        ("INTERNAL://[fe80::1%eth0]:65535", listener("INTERNAL", Some("fe80::1%eth0"), 65535)),
        ("tc-0://my-host_1.example:0", listener("TC-0", Some("my-host_1.example"), 0)),
        ("a_b://h:1", listener("A_B", Some("h"), 1)),
        ("C://h:1", listener("C", Some("h"), 1)),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text), Ok(vec![expected]), "{text}");
    }
    assert_eq!(parse(" ,, PLAINTEXT://:1 , INTERNAL://:2 ,").unwrap().len(), 2);
    assert_eq!(parse(""), Ok(Vec::new()));
}

#[test]
fn what_cannot_be_read_is_quoted() {
    for text in [
        "PLAINTEXT",
        "PLAINTEXT:9092",
        "PLAINTEXT://",
        "PLAINTEXT://h",
        "PLAINTEXT://h:",
        "PLAINTEXT://h:-1",
        "PLAINTEXT://h:65536",
        "PLAINTEXT://h:+1",
        "PLAINTEXT://h h:1",
        "PLAINTEXT://h/x:1",
    ] {
        let expected = format!(
            "Error creating broker listeners from '{text}': Unable to parse {text} to a broker endpoint"
        );
        assert_eq!(parse(text), Err(expected));
    }
    let unknown = parse("X://:1").unwrap_err();
    assert!(unknown.contains("No security protocol defined for listener X (add X:PLAINTEXT to"), "{unknown}");
}

#[test]
fn ports_are_shared_only_between_ipv4_and_ipv6() {
    assert!(parse("PLAINTEXT://127.0.0.1:1,INTERNAL://[::1]:1").is_ok());
    assert!(parse("PLAINTEXT://:0,INTERNAL://:0").is_ok());
    for text in [
        "PLAINTEXT://:1,INTERNAL://:1",
        "PLAINTEXT://127.0.0.1:1,INTERNAL://127.0.0.2:1",
        "PLAINTEXT://127.0.0.1:1,INTERNAL://[::1]:1,C://h:1",
        "PLAINTEXT://127.0.0.1:1,INTERNAL://[::1]:1,C://[::2]:1",
        "PLAINTEXT://127.0.0.1:1,INTERNAL://h:1",
    ] {
        assert!(parse(text).is_err(), "{text}");
        assert!(parse_listeners(text, &protocols(), false).is_ok(), "{text}, advertised");
    }
    assert!(parse("PLAINTEXT://:1,plaintext://:2").is_err());
}

#[test]
fn a_listener_prints_as_it_is_written() {
    for text in ["PLAINTEXT://:9092", "INTERNAL://[::1]:9092", "C://h:1"] {
        assert_eq!(parse(text).unwrap()[0].to_string(), text);
    }
}

#[test]
fn protocol_maps_name_what_is_wrong() {
    assert_eq!(protocols().len(), 5);
    let error = |text: &str| parse_protocol_map(text).unwrap_err().to_string();
    assert!(
        error("A:FOO")
            .starts_with("Invalid security protocol `FOO` defined in listener.security.protocol.map")
    );
    assert!(error("A").contains("A is not of the form NAME:PROTOCOL"));
    assert_eq!(parse_protocol_map(""), Ok(ProtocolMap::new()));
}

#[test]
fn voters_and_servers() {
    assert_eq!(parse_voter("3@[::1]:9093"), Ok(Voter { id: 3, host: "::1".to_owned(), port: 9093 }));
    assert_eq!(parse_bootstrap_server("h:1"), Ok(("h".to_owned(), 1)));
    for text in ["", "1", "1@h", "x@h:1", "1@h:x", "1@@h:1", "1@h:1@2", "1@h i:1", "1@h:65536"] {
        assert!(parse_voter(text).is_err(), "{text}");
    }
    for text in ["", "h", "h:", "h h:1"] {
        assert!(parse_bootstrap_server(text).is_err(), "{text}");
    }
}
