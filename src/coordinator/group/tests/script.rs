//! Scripts of a classic group `g`: a command a line, and after `->` everything that comes of it.
//!
//! ```text
//! join a                  -> a: MEMBER_ID_REQUIRED a-1; log gen 0
//! join a                  -> PreparingRebalance
//! after 3000              -> a: joined gen 1 range leader a-1 [a-1=ma]; CompletingRebalance
//! sync a assign=a-1:x     -> a: synced x; log gen 1 range leader a-1 [a-1=x]; Stable
//! ```
//!
//! `a` is a client. It remembers the member id and generation that it was told last; `id=`, `gen=` say something else.
//! A group's state is shown when it changes. Member ids end in the number of the request that made them.

use super::world::{Outcome, World};
use crate::group::record::Record;
use crate::group::shard::Group;
use crate::group::{
    Client, HeartbeatRequest, JoinReply, JoinRequest, LeaveRequest, LeavingMember, Reply, Request, Settings,
    SyncRequest, Ticket,
};
use bytes::Bytes;
use model::ErrorCode;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Runs a script; panics at the first line that comes out otherwise.
pub fn script(text: &str) {
    let mut stage = Stage::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (command, expected) = line.split_once("->").unwrap_or((line, ""));
        let actual = stage.run(command.trim());
        let expected: Vec<&str> =
            expected.split(';').map(str::trim).filter(|part| !part.is_empty()).collect();
        assert!(
            actual == expected,
            "\n  {command}\n  expected -> {}\n  came out -> {}\nscript:\n{text}",
            expected.join("; "),
            actual.join("; ")
        );
    }
}

#[derive(Debug)]
struct Stage {
    world: World,
    clients: BTreeMap<String, Memory>,
    waiting: BTreeMap<Ticket, String>,
    joins: u128,
    state: String,
}

#[derive(Clone, Debug, Default)]
struct Memory {
    member_id: String,
    generation: i32,
}

/// Words `key=value` after a command's first two.
struct Options<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Options<'a> {
    fn text(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).copied()
    }

    fn number(&self, key: &str) -> Option<i32> {
        self.text(key).map(|text| text.parse().expect("a number"))
    }

    fn owned(&self, key: &str) -> Option<String> {
        self.text(key).map(str::to_owned)
    }

    fn pairs(&self, key: &str) -> Option<Vec<(String, Bytes)>> {
        let pair = |text: &str| {
            let (name, value) = text.split_once(':').expect("name:value");
            (name.to_owned(), Bytes::copy_from_slice(value.as_bytes()))
        };
        self.text(key).map(|text| text.split(',').filter(|text| !text.is_empty()).map(pair).collect())
    }
}

impl Stage {
    fn new() -> Self {
        let world = World::new(Settings::default());
        Self { world, clients: BTreeMap::new(), waiting: BTreeMap::new(), joins: 0, state: "none".into() }
    }

    fn run(&mut self, command: &str) -> Vec<String> {
        let mut words = command.split_whitespace();
        let verb = words.next().expect("a command");
        let rest: Vec<&str> = words.collect();
        let subject = rest.first().copied().unwrap_or_default();
        let options = Options(rest.iter().skip(1).filter_map(|word| word.split_once('=')).collect());
        let outcome = match verb {
            "join" => self.join(subject, &options),
            "sync" => self.sync(subject, &options),
            "beat" => self.beat(subject, &options),
            "leave" => self.leave(subject, &rest[1..]),
            "delete" => self.send("admin", Request::DeleteGroup { group_id: "g".into() }),
            "after" => self.world.pass(subject.parse().expect("milliseconds")),
            "restart" => self.world.restart(),
            "fail" => {
                self.world.fail_next_write = true;
                return Vec::new();
            }
            "max" => {
                self.world.settings.classic_members_max = subject.parse().expect("a number");
                return Vec::new();
            }
            "delay" => {
                self.world.settings.initial_rebalance_delay_ms = subject.parse().expect("milliseconds");
                return Vec::new();
            }
            "commit" => return vec![self.commit(subject, &options)],
            "members" => return vec![self.members()],
            "list" => {
                return self
                    .world
                    .shard
                    .list(&[], &[])
                    .into_iter()
                    .map(|group| format!("{group:?}"))
                    .collect();
            }
            _ => panic!("no such command: {command}"),
        };
        self.shown(outcome)
    }

    fn send(&mut self, client: &str, request: Request) -> Outcome {
        let (ticket, outcome) = self.world.send(request);
        self.waiting.insert(ticket, client.to_owned());
        outcome
    }

    fn memory(&self, client: &str) -> Memory {
        self.clients.get(client).cloned().unwrap_or_default()
    }

    fn member_id(&self, client: &str, options: &Options) -> String {
        match options.text("id") {
            Some("-") => String::new(),
            Some(id) => long(id),
            None => self.memory(client).member_id,
        }
    }

    fn join(&mut self, client: &str, options: &Options) -> Outcome {
        self.joins += 1;
        let version = options.number("v").unwrap_or(9);
        let metadata = |name: &str| (name.to_owned(), Bytes::from(format!("m{client}")));
        let session_timeout_ms = options.number("session").unwrap_or(10_000);
        let request = JoinRequest {
            client: Client { id: client.into(), host: "/127.0.0.1".into() },
            group_id: options.owned("group").unwrap_or_else(|| "g".into()).trim_matches('"').to_owned(),
            member_id: self.member_id(client, options),
            fresh_id: Uuid::from_u128(self.joins),
            instance_id: options.owned("inst"),
            session_timeout_ms,
            rebalance_timeout_ms: options.number("rebalance").unwrap_or(30_000),
            protocol_type: options.owned("type").unwrap_or_else(|| "consumer".into()),
            protocols: options.pairs("protocols").unwrap_or_else(|| vec![metadata("range")]),
            reason: None,
            member_id_required: version >= 4,
            skip_assignment_known: version >= 9,
        };
        self.send(client, Request::Join(request))
    }

    fn sync(&mut self, client: &str, options: &Options) -> Outcome {
        let memory = self.memory(client);
        let assignments = options.pairs("assign").unwrap_or_default();
        let request = SyncRequest {
            group_id: options.owned("group").unwrap_or_else(|| "g".into()).trim_matches('"').to_owned(),
            generation: options.number("gen").unwrap_or(memory.generation),
            member_id: self.member_id(client, options),
            instance_id: options.owned("inst"),
            protocol_type: options.owned("type"),
            protocol_name: options.owned("protocol"),
            assignments: assignments.into_iter().map(|(id, assignment)| (long(&id), assignment)).collect(),
        };
        self.send(client, Request::Sync(request))
    }

    fn beat(&mut self, client: &str, options: &Options) -> Outcome {
        let memory = self.memory(client);
        let request = HeartbeatRequest {
            group_id: options.owned("group").unwrap_or_else(|| "g".into()).trim_matches('"').to_owned(),
            generation: options.number("gen").unwrap_or(memory.generation),
            member_id: self.member_id(client, options),
            instance_id: options.owned("inst"),
        };
        self.send(client, Request::Heartbeat(request))
    }

    /// `leave a b-2 /i c-3/j`: a client, a member id, an instance alone, both.
    fn leave(&mut self, first: &str, more: &[&str]) -> Outcome {
        let leaving = |word: &&str| {
            let (member, instance) = word.split_once('/').map_or((*word, None), |(a, b)| (a, Some(b)));
            let member_id = match self.clients.get(member) {
                Some(memory) => memory.member_id.clone(),
                None => long(member),
            };
            LeavingMember { member_id, instance_id: instance.map(str::to_owned), reason: None }
        };
        let members = std::iter::once(&first).chain(more).map(leaving).collect();
        self.send("leaver", Request::Leave(LeaveRequest { group_id: "g".into(), members }))
    }

    /// Replies in their order, then records, then the state if it is another now.
    fn shown(&mut self, outcome: Outcome) -> Vec<String> {
        let mut shown = Vec::new();
        for (ticket, reply) in outcome.replies {
            let client = self.waiting.remove(&ticket).expect("a ticket is answered once");
            shown.push(self.shown_reply(&client, reply));
        }
        shown.extend(outcome.records.iter().map(shown_record));
        let state = match self.world.shard.groups.get("g") {
            Some(Group::Classic(group)) => group.state().name(),
            Some(Group::Consumer(_)) => "consumer group",
            None => "none",
        };
        if self.state != state {
            state.clone_into(&mut self.state);
            shown.push(state.to_owned());
        }
        shown
    }

    fn shown_reply(&mut self, client: &str, reply: Reply) -> String {
        let text = match reply {
            Reply::Join(reply) => self.shown_join(client, &reply),
            Reply::Sync(reply) if reply.error == ErrorCode::None => {
                format!("synced {}", text(&reply.assignment))
            }
            Reply::Sync(reply) => name(reply.error),
            Reply::Heartbeat(code) => name(code),
            Reply::DeleteGroup(code) => name(code),
            Reply::Leave(reply) if reply.error != ErrorCode::None => name(reply.error),
            Reply::Leave(reply) => {
                let outcome = |(leaving, code): &(LeavingMember, ErrorCode)| {
                    let instance =
                        leaving.instance_id.as_ref().map(|id| format!("/{id}")).unwrap_or_default();
                    format!("{}{instance} {}", short(&leaving.member_id), name(*code))
                };
                reply.members.iter().map(outcome).collect::<Vec<_>>().join(", ")
            }
            other => format!("{other:?}"),
        };
        format!("{client}: {text}")
    }

    fn shown_join(&mut self, client: &str, reply: &JoinReply) -> String {
        let memory = self.clients.entry(client.to_owned()).or_default();
        if reply.error != ErrorCode::None {
            if reply.error == ErrorCode::MemberIdRequired {
                memory.member_id.clone_from(&reply.member_id);
            }
            return format!("{} {}", name(reply.error), short(&reply.member_id)).trim().to_owned();
        }
        memory.member_id.clone_from(&reply.member_id);
        memory.generation = reply.generation;
        let member = |member: &crate::group::JoinedMember| {
            let instance = member.instance_id.as_ref().map(|id| format!("/{id}")).unwrap_or_default();
            format!("{}{instance}={}", short(&member.member_id), text(&member.metadata))
        };
        let members: Vec<String> = reply.members.iter().map(member).collect();
        let members = if members.is_empty() { String::new() } else { format!(" [{}]", members.join(" ")) };
        let skip = if reply.skip_assignment { " skip" } else { "" };
        let own = short(&reply.member_id);
        let protocol = reply.protocol_name.as_deref().unwrap_or("-");
        format!(
            "{own} joined gen {} {protocol} leader {}{members}{skip}",
            reply.generation,
            short(&reply.leader)
        )
    }

    /// What a commit is told; `commit -` is one from outside the group.
    fn commit(&self, client: &str, options: &Options) -> String {
        let Some(Group::Classic(group)) = self.world.shard.groups.get("g") else { return "none".into() };
        let memory = self.memory(client);
        let generation = if client == "-" { -1 } else { options.number("gen").unwrap_or(memory.generation) };
        let instance_id = options.text("inst");
        let transactional = options.text("txn").is_some();
        let member_id = self.member_id(client, options);
        let result = group.validate_offset_commit(&member_id, instance_id, generation, transactional);
        name(result.err().unwrap_or(ErrorCode::None))
    }

    fn members(&self) -> String {
        let Some(Group::Classic(group)) = self.world.shard.groups.get("g") else { return "none".into() };
        let members: Vec<String> = group.members().map(|member| short(&member.id)).collect();
        if members.is_empty() { "nobody".into() } else { members.join(" ") }
    }
}

fn shown_record(record: &Record) -> String {
    let Record::ClassicGroup(group_id, value) = record else { return format!("log {record:?}") };
    assert_eq!(group_id, "g");
    let Some(value) = value else { return "log tombstone".into() };
    let member = |member: &crate::group::record::ClassicMemberValue| {
        format!("{}={}", short(&member.member_id), text(&member.assignment))
    };
    let members: Vec<String> = value.members.iter().map(member).collect();
    let mut shown = format!("log gen {}", value.generation);
    if let Some(protocol) = &value.protocol {
        shown += " ";
        shown += protocol;
    }
    if let Some(leader) = &value.leader {
        shown += " leader ";
        shown += &short(leader);
    }
    if !members.is_empty() {
        shown += " [";
        shown += &members.join(" ");
        shown += "]";
    }
    shown
}

fn name(code: ErrorCode) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    if code == ErrorCode::None { "ok".into() } else { name }
}

fn text(bytes: &Bytes) -> String {
    if bytes.is_empty() { "-".into() } else { String::from_utf8_lossy(bytes).into_owned() }
}

/// `a-00000000-0000-0000-0000-000000000001` is shown as `a-1`.
fn short(member_id: &str) -> String {
    let parts = member_id.len().checked_sub(36).and_then(|at| member_id.split_at_checked(at));
    match parts.and_then(|(name, id)| Some((name, Uuid::parse_str(id).ok()?))) {
        Some((name, id)) => format!("{name}{}", id.as_u128()),
        None => member_id.to_owned(),
    }
}

fn long(member_id: &str) -> String {
    match member_id.rsplit_once('-').and_then(|(name, number)| Some((name, number.parse().ok()?))) {
        Some((name, number)) => format!("{name}-{}", Uuid::from_u128(number)),
        None => member_id.to_owned(),
    }
}
