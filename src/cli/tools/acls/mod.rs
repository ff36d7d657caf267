//! `kafka-acls` (`org.apache.kafka.tools.AclCommand`): who may do what with which resource.

mod entries;

use std::collections::BTreeMap;

use client::{Cluster, Target};
use wire::messages::create_acls_request::{AclCreation, CreateAclsRequest};
use wire::messages::delete_acls_request::{DeleteAclsFilter, DeleteAclsRequest};
use wire::messages::describe_acls_request::DescribeAclsRequest;

use crate::kafka::{self, Bootstrap, Trouble, check, text};
use crate::options::{HELP, Options, Syntax, VERSION, flag, maybe, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

use entries::{ANY, Entry, Resource};

const SYNTAX: Syntax = Syntax {
    about: "This tool helps to manage acls on kafka.",
    options: &[
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with. Required."),
        value(&["bootstrap-controller"], "host:port,...", "Controllers to begin with."),
        maybe(&["command-config"], "file", "Properties of the client."),
        value(&["topic"], "name", "A topic, or '*' for all."),
        flag(&["cluster"], "The cluster."),
        value(&["group"], "id", "A group, or '*' for all."),
        value(&["transactional-id"], "id", "A transactional id, or '*' for all."),
        flag(&["idempotent"], "With --producer: idempotent writing too."),
        value(&["delegation-token"], "id", "A delegation token, or '*' for all."),
        value(
            &["resource-pattern-type"],
            "type",
            "literal, prefixed; to look up and remove any and match too.",
        ),
        flag(&["add"], "Add entries."),
        flag(&["remove"], "Remove entries."),
        flag(&["list"], "Show entries."),
        value(&["operation"], "name", "Read, Write, Create, ...; All."),
        value(&["allow-principal"], "type:name", "Who may."),
        value(&["deny-principal"], "type:name", "Who may not."),
        maybe(&["principal"], "type:name", "With --list: only entries of these."),
        value(&["allow-host"], "address", "From where those may; '*'."),
        value(&["deny-host"], "address", "From where those may not; '*'."),
        flag(&["producer"], "What a producer needs."),
        flag(&["consumer"], "What a consumer needs."),
        flag(&["force"], "Ask nothing."),
        value(&["user-principal"], "type:name", "A user as a resource."),
        HELP,
        VERSION,
    ],
};

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments)?;
    options.help_or_version()?;
    check_options(&options)?;
    let properties = Properties::of_option(options.all("command-config").pop().as_deref())?;
    let bootstrap = match options.one("bootstrap-controller")? {
        Some(controllers) => Bootstrap::Controllers(controllers),
        None => Bootstrap::Brokers(options.required("bootstrap-server")?),
    };
    let mut cluster = bootstrap.connect(&properties, "adminclient-1")?;
    let done = match () {
        () if options.has("add") => {
            let wanted = entries::to_add(&options)?;
            kafka::block_on(async { Ok(add(&mut cluster, wanted, terminal).await) })
        }
        () if options.has("remove") => {
            let wanted = entries::to_remove(&options)?;
            kafka::block_on(async { Ok(remove(&mut cluster, &options, wanted, terminal).await) })
        }
        () => {
            let (filters, principals) =
                (entries::resources(&options)?, entries::principals(&options, "principal")?);
            kafka::block_on(async { Ok(list(&mut cluster, &filters, &principals, terminal).await) })
        }
    }?;
    done.map_err(|trouble| {
        let reason = format!("{}{trouble}", crate::errors::java_class(trouble.code()));
        terminal.line(format!("Error while executing ACL command: {reason}"));
        terminal.line(format!("java.util.concurrent.ExecutionException: {reason}\n"));
        Stop::Status(1)
    })
}

fn check_options(options: &Options) -> Result<(), Stop> {
    let refuse = |words: &str| Err(options.usage(words));
    match (options.has("bootstrap-server"), options.has("bootstrap-controller")) {
        (true, true) => {
            return refuse("Only one of --bootstrap-server or --bootstrap-controller must be specified");
        }
        (false, false) => {
            return refuse("One of --bootstrap-server or --bootstrap-controller must be specified");
        }
        _ => {}
    }
    if ["add", "remove", "list"].iter().filter(|action| options.has(action)).count() != 1 {
        return refuse("Command must include exactly one action: --list, --add, --remove. ");
    }
    const HOSTS: [&str; 6] =
        ["producer", "consumer", "allow-host", "allow-principal", "deny-host", "deny-principal"];
    options.forbid_with("list", &HOSTS)?;
    options.forbid_with("producer", &["operation", "deny-principal", "deny-host"])?;
    options.forbid_with("consumer", &["operation", "deny-principal", "deny-host"])?;
    let has = |name: &str| options.has(name);
    if has("principal") && !has("list") {
        return refuse("The --principal option is only available if --list is set");
    }
    if has("producer") && !has("topic") {
        return refuse("With --producer you must specify a --topic");
    }
    if has("idempotent") && !has("producer") {
        return refuse("The --idempotent option is only available if --producer is set");
    }
    let is_more = !has("producer") && (has("cluster") || has("transactional-id"));
    if has("consumer") && (!has("topic") || !has("group") || is_more) {
        return refuse(
            "With --consumer you must specify a --topic and a --group and no --cluster or --transactional-id option \
             should be specified.",
        );
    }
    Ok(())
}

/// Entries by their resource.
type Acls = BTreeMap<Resource, Vec<Entry>>;

async fn add(cluster: &mut Cluster, wanted: Acls, terminal: &mut Terminal) -> Result<(), Trouble> {
    for (resource, entries) in wanted {
        let there = described(cluster, Some(&resource)).await?.remove(&resource).unwrap_or_default();
        let (old, new): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|one| there.contains(one));
        for entry in old {
            terminal.line(format!("Acl (pattern={resource}, entry={entry}) already exists."));
        }
        if new.is_empty() {
            continue;
        }
        terminal.line(format!("Adding ACLs for resource `{resource}`: \n {}\n", lines(&new)));
        let creations: Vec<AclCreation> = new
            .iter()
            .map(|entry| {
                AclCreation::default()
                    .with_resource_type(resource.kind)
                    .with_resource_name(text(resource.name.as_str()))
                    .with_resource_pattern_type(resource.pattern)
                    .with_principal(text(entry.principal.as_str()))
                    .with_host(text(entry.host.as_str()))
                    .with_operation(entry.operation)
                    .with_permission_type(entry.permission)
            })
            .collect();
        let answer = cluster
            .call(Target::Controller, |_version| {
                CreateAclsRequest::default().with_creations(creations.clone())
            })
            .await?;
        answer.results.iter().try_for_each(|one| check(one.error_code, one.error_message.as_deref()))?;
    }
    Ok(())
}

fn lines(entries: &[Entry]) -> String {
    let lines: Vec<String> = entries.iter().map(|entry| format!("\t{entry}")).collect();
    lines.join("\n")
}

async fn remove(
    cluster: &mut Cluster,
    options: &Options,
    wanted: Acls,
    terminal: &mut Terminal,
) -> Result<(), Trouble> {
    for (resource, entries) in wanted {
        let question = if entries.is_empty() {
            format!("Are you sure you want to delete all ACLs for resource filter `{resource}`? (y/n)")
        } else {
            let lines = lines(&entries);
            format!(
                "Are you sure you want to remove ACLs: \n {lines}\n from resource filter `{resource}`? (y/n)"
            )
        };
        if !options.has("force") && !is_confirmed(&question, terminal) {
            continue;
        }
        let any = || {
            DeleteAclsFilter::default()
                .with_resource_type_filter(resource.kind)
                .with_resource_name_filter(Some(text(resource.name.as_str())))
                .with_pattern_type_filter(resource.pattern)
                .with_principal_filter(None)
                .with_host_filter(None)
                .with_operation(ANY)
                .with_permission_type(ANY)
        };
        let exactly = |entry: &Entry| {
            any()
                .with_principal_filter(Some(text(entry.principal.as_str())))
                .with_host_filter(Some(text(entry.host.as_str())))
                .with_operation(entry.operation)
                .with_permission_type(entry.permission)
        };
        let filters: Vec<DeleteAclsFilter> =
            if entries.is_empty() { vec![any()] } else { entries.iter().map(exactly).collect() };
        let answer = cluster
            .call(Target::Controller, |_version| DeleteAclsRequest::default().with_filters(filters.clone()))
            .await?;
        for result in &answer.filter_results {
            check(result.error_code, result.error_message.as_deref())?;
            let mut matched = result.matching_acls.iter();
            matched.try_for_each(|one| check(one.error_code, one.error_message.as_deref()))?;
        }
    }
    Ok(())
}

fn is_confirmed(question: &str, terminal: &mut Terminal) -> bool {
    terminal.line(question);
    terminal.flush();
    let mut answer = String::new();
    // No answer is no.
    std::io::stdin().read_line(&mut answer).is_ok() && answer.trim().eq_ignore_ascii_case("y")
}

async fn list(
    cluster: &mut Cluster,
    filters: &[Resource],
    principals: &[String],
    terminal: &mut Terminal,
) -> Result<(), Trouble> {
    let mut found = Acls::new();
    if filters.is_empty() {
        found = described(cluster, None).await?;
    }
    for filter in filters {
        for (resource, entries) in described(cluster, Some(filter)).await? {
            let known = found.entry(resource).or_default();
            known.extend(entries);
            known.sort();
            known.dedup();
        }
    }
    if principals.is_empty() {
        tell(&found, None, terminal);
    }
    for principal in principals {
        terminal.line(format!("ACLs for principal `{principal}`"));
        tell(&found, Some(principal), terminal);
    }
    Ok(())
}

fn tell(found: &Acls, principal: Option<&String>, terminal: &mut Terminal) {
    for (resource, entries) in found {
        let shown: Vec<Entry> = entries
            .iter()
            .filter(|entry| principal.is_none_or(|principal| entry.principal == *principal))
            .cloned()
            .collect();
        if !shown.is_empty() {
            terminal.line(format!("Current ACLs for resource `{resource}`:\n{}\n", lines(&shown)));
        }
    }
}

/// The entries of the resources that match; of all where there is no filter.
async fn described(cluster: &mut Cluster, filter: Option<&Resource>) -> Result<Acls, Trouble> {
    let request = DescribeAclsRequest::default()
        .with_resource_type_filter(filter.map_or(ANY, |filter| filter.kind))
        .with_resource_name_filter(filter.map(|filter| text(filter.name.as_str())))
        .with_pattern_type_filter(filter.map_or(ANY, |filter| filter.pattern))
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(ANY)
        .with_permission_type(ANY);
    let answer = cluster.call(Target::Any, |_version| request.clone()).await?;
    check(answer.error_code, answer.error_message.as_deref())?;
    let mut found = Acls::new();
    for resource in &answer.resources {
        let key = Resource {
            kind: resource.resource_type,
            name: resource.resource_name.to_string(),
            pattern: resource.pattern_type,
        };
        let entries = resource.acls.iter().map(|acl| Entry {
            principal: acl.principal.to_string(),
            host: acl.host.to_string(),
            operation: acl.operation,
            permission: acl.permission_type,
        });
        found.entry(key).or_default().extend(entries);
    }
    for entries in found.values_mut() {
        entries.sort();
    }
    Ok(found)
}
