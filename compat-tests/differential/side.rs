//! One of the two brokers, and what is known of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use client::{CallError, Connection};
use uuid::Uuid;
use wire::call::Call;

use crate::tree::Tree;

/// How long any answer may take, mostly.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// One broker.
pub struct Side {
    /// `REFERENCE` or `SUBJECT`.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// How long any answer may take on connections that are opened from now on.
    pub patience: Duration,
    connection: Option<Connection>,
    /// Ids of topics by name, as its answers tell them.
    ids: BTreeMap<String, Uuid>,
    /// Numbers that the broker chose and later requests need.
    numbers: BTreeMap<String, i64>,
    /// Texts that the broker chose and later requests need.
    texts: BTreeMap<String, String>,
    /// How many members of groups have been named.
    pub members: usize,
    /// What to write in place of texts that are the broker's own.
    names: Vec<(String, String)>,
}

impl Side {
    /// A broker that listens on `address` and has its data under `dir`.
    pub fn new(name: &'static str, address: SocketAddr, dir: String) -> Self {
        let names = vec![
            (address.to_string(), "<address>".to_owned()),
            // In an answer that is shown as bytes.
            (format!("{:08x}", address.port()), "<port>".to_owned()),
            (dir, "<dir>".to_owned()),
        ];
        let (ids, numbers, texts) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { name, address, patience: PATIENCE, connection: None, ids, numbers, texts, members: 0, names }
    }

    /// The id of a topic that an answer has told, or one that nobody has.
    pub fn id(&self, topic: &str) -> Uuid {
        self.ids.get(topic).copied().unwrap_or(Uuid::from_u128(0xdead))
    }

    /// A number that was kept.
    pub fn number(&self, name: &str) -> i64 {
        self.numbers.get(name).copied().unwrap_or_default()
    }

    /// Keeps a number for later requests.
    pub fn keep(&mut self, name: &str, number: i64) {
        self.numbers.insert(name.to_owned(), number);
    }

    /// A text that was kept.
    pub fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }

    /// Keeps a text for later requests.
    pub fn keep_text(&mut self, name: &str, text: String) {
        self.texts.insert(name.to_owned(), text);
    }

    /// Writes `name` in place of `text` from now on.
    pub fn call_it(&mut self, text: String, name: &str) {
        self.names.insert(0, (text, name.to_owned()));
    }

    /// The connection, opened where there is none.
    pub async fn connection(&mut self) -> &mut Connection {
        if self.connection.is_none() {
            let opened = Connection::open(self.address, "differential", self.patience).await;
            self.connection =
                Some(opened.unwrap_or_else(|error| panic!("{} at {}: {error}", self.name, self.address)));
        }
        self.connection.as_mut().expect("it was just opened")
    }

    /// Gives the connection up; the next call opens another.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    /// One call. A connection that failed is not used again.
    pub async fn call<C: Call>(&mut self, version: i16, request: &C) -> Result<C::Response, CallError> {
        let answer = self.connection().await.call(version, request).await;
        if !matches!(answer, Ok(_) | Err(CallError::Encode(_))) {
            self.disconnect();
        }
        answer
    }

    /// Learns the topic ids that an answer tells beside names.
    pub fn learn(&mut self, tree: &Tree) {
        match tree {
            Tree::Leaf(_) => {}
            Tree::List(items) => items.iter().for_each(|item| self.learn(item)),
            Tree::Fields(fields) => {
                self.learn_id(tree);
                self.learn_member(tree);
                for (_, value) in fields {
                    self.learn(value);
                }
            }
        }
    }

    fn learn_id(&mut self, tree: &Tree) {
        let name = tree.field("name").and_then(Tree::leaf).and_then(|name| name.strip_prefix('"'));
        let id = tree.field("topic_id").and_then(Tree::leaf).and_then(|id| Uuid::parse_str(id).ok());
        let (Some(name), Some(id)) = (name, id) else { return };
        let name = name.trim_end_matches('"').to_owned();
        if id.is_nil() || self.ids.get(&name) == Some(&id) {
            return;
        }
        for text in [id.to_string(), model::ids::uuid_to_base64(id)] {
            self.call_it(text, &format!("<id of {name}>"));
        }
        self.ids.insert(name, id);
    }

    /// Brokers make a member's id of a random UUID; members are numbered as they come.
    fn learn_member(&mut self, tree: &Tree) {
        for field in ["member_id", "leader"] {
            let Some(id) = tree.field(field).and_then(Tree::leaf).map(|id| id.trim_matches('"').to_owned())
            else {
                continue;
            };
            let tail = id.char_indices().rev().nth(35).map_or("", |(at, _)| &id[at..]);
            let is_made = Uuid::parse_str(tail).is_ok() || (id.len() == 22 && !id.starts_with('<'));
            if is_made && !self.names.iter().any(|(known, _)| *known == id) {
                self.members += 1;
                self.call_it(id, &format!("<member {}>", self.members));
            }
        }
    }

    /// Writes names in place of everything that is the broker's own.
    pub fn with_names(&self, tree: &mut Tree) {
        match tree {
            Tree::Leaf(text) => {
                for (own, name) in &self.names {
                    if text.contains(own) {
                        *text = text.replace(own, name);
                    }
                }
            }
            Tree::List(items) => items.iter_mut().for_each(|item| self.with_names(item)),
            Tree::Fields(fields) => fields.iter_mut().for_each(|(_, value)| self.with_names(value)),
        }
    }
}
