//! `docs/PROTOCOL.md` shows the table of APIs as it is. `OTTLA_WRITE_DOCS=1 cargo test -p wire --test protocol_doc`
//! writes it anew.

use std::fmt::Write;
use std::path::Path;

use wire::api_table::{API_TABLE, ApiSpec, AuthClass, Phase};

const BEGIN: &str = "<!-- api_table: begin -->\n";
const END: &str = "<!-- api_table: end -->\n";

#[test]
fn the_page_shows_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/PROTOCOL.md");
    let page = std::fs::read_to_string(&path).expect("docs/PROTOCOL.md");
    let (before, rest) = page.split_once(BEGIN).expect("the begin mark");
    let (shown, after) = rest.split_once(END).expect("the end mark");
    let wanted = table();
    if std::env::var_os("OTTLA_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).expect("a writable page");
        return;
    }
    assert_eq!(shown, wanted, "docs/PROTOCOL.md is behind wire/api_table.rs; see the head of this test");
}

fn table() -> String {
    let mut out =
        String::from("\n| key | API | versions | flexible from | needs rights on |\n|---|---|---|---|---|\n");
    for spec in API_TABLE.iter().filter(|spec| spec.served) {
        row(&mut out, spec);
    }
    let waiting = API_TABLE.iter().filter(|spec| !spec.served);
    let names: Vec<_> = waiting.map(|spec| format!("{} ({})", spec.name, spec.key.code())).collect();
    write!(out, "\nKnown, but not served and therefore not advertised: {}.\n\n", names.join(", "))
        .expect("a string");
    out
}

fn row(out: &mut String, spec: &ApiSpec) {
    let versions = match (spec.min_advertised(), spec.max) {
        (min, max) if min == max => min.to_string(),
        (min, max) => format!("{min}-{max}"),
    };
    let flexible = spec.flexible_from.map_or_else(|| "-".to_owned(), |from| from.to_string());
    let rights = match spec.auth {
        AuthClass::Open => "nothing",
        AuthClass::Topic => "the topics",
        AuthClass::Group => "the group",
        AuthClass::TransactionalId => "the transactional id",
        AuthClass::Cluster => "the cluster or the resources named",
        AuthClass::ClusterAction => "the cluster, as a broker",
        AuthClass::DelegationToken => "the token",
    };
    let early = if spec.phase == Phase::Handshake { ", also before authentication" } else { "" };
    let key = spec.key.code();
    writeln!(out, "| {key} | {} | {versions} | {flexible} | {rights}{early} |", spec.name).expect("a string");
}
