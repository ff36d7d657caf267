//! How records are shown, to the letter.

use bytes::Bytes;

use super::*;

fn record(value: Option<&'static [u8]>) -> Received {
    Received {
        topic: "orders".to_owned(),
        partition: 2,
        offset: 17,
        leader_epoch: 0,
        timestamp: 1_795_338_487_123,
        log_append_time: false,
        key: Some(Bytes::from_static(b"k")),
        value: value.map(Bytes::from_static),
        headers: vec![
            (Bytes::from_static(b"a"), Some(Bytes::from_static(b"1"))),
            (Bytes::from_static(b"a"), None),
        ],
    }
}

fn shown(shown: &Shown, value: Option<&'static [u8]>) -> String {
    String::from_utf8(shown.record(&record(value))).unwrap()
}

#[test]
fn a_format_says_it_all() {
    let of = |format: &str| shown(&Shown::Pieces(pieces(format).unwrap()), Some(b"v"));
    assert_eq!(of("%v\\n"), "v\n");
    assert_eq!(of("%t/%p/%o\\t%T %d"), "orders/2/17\t1795338487123 2026-11-22T09:08:07.123Z");
    assert_eq!(of("100%% %k=%v {%h}\\0"), "100% k=v {a=1,a=}\0");
    for bad in ["%x", "%", "\\q", "ends in \\"] {
        assert!(pieces(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_place_stands_first() {
    let plain = Shown::Verbose { has_colour: false };
    assert_eq!(shown(&plain, Some(b"v")), "orders[2]@17 2026-11-22T09:08:07.123Z key=k {a=1,a=} v\n");
    assert_eq!(shown(&plain, None), "orders[2]@17 2026-11-22T09:08:07.123Z key=k {a=1,a=} (no value)\n");
    let coloured = shown(&Shown::Verbose { has_colour: true }, Some(b"v"));
    assert!(coloured.starts_with("\x1b[32morders[2]@17\x1b[0m "), "{coloured:?}");
}

#[test]
fn json_tells_bytes_from_text() {
    let head = r#"{"headers":[{"name":"a","value":"1"},{"name":"a","value":null}],"key":"k","offset":17,"partition":2,"timestamp":1795338487123,"topic":"orders","#;
    assert_eq!(shown(&Shown::Json, Some(b"v")), format!("{head}\"value\":\"v\"}}\n"));
    assert_eq!(shown(&Shown::Json, None), format!("{head}\"value\":null}}\n"));
    assert_eq!(shown(&Shown::Json, Some(&[0xff])), format!("{head}\"valueBase64\":\"/w==\"}}\n"));
}
