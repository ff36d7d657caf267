//! The fields of an answer, read from its `Debug` form: the one form that all response types share.

/// A value with its fields. Wrappers of one value, such as `TopicName("a")` or `Some(1)`, are that value.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// A number, a name or a quoted text.
    Leaf(String),
    /// An array.
    List(Vec<Tree>),
    /// Named fields.
    Fields(Vec<(String, Tree)>),
}

impl Tree {
    /// Reads `{:?}` of a value.
    pub fn of(value: &impl std::fmt::Debug) -> Self {
        let text: Vec<char> = format!("{value:?}").chars().collect();
        let mut parser = Parser { text, at: 0 };
        parser.value()
    }

    /// A field by name.
    pub fn field(&self, name: &str) -> Option<&Self> {
        let Self::Fields(fields) = self else { return None };
        fields.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The text of a leaf.
    pub fn leaf(&self) -> Option<&str> {
        if let Self::Leaf(text) = self { Some(text) } else { None }
    }

    /// On one line.
    pub fn line(&self) -> String {
        match self {
            Self::Leaf(text) => text.clone(),
            Self::List(items) => format!("[{}]", items.iter().map(Self::line).collect::<Vec<_>>().join(", ")),
            Self::Fields(fields) => {
                let fields = fields.iter().map(|(key, value)| format!("{key}: {}", value.line()));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

struct Parser {
    text: Vec<char>,
    at: usize,
}

impl Parser {
    fn value(&mut self) -> Tree {
        match self.peek() {
            '"' => Tree::Leaf(self.quoted()),
            '[' => Tree::List(self.items(']')),
            '{' => Tree::Fields(self.fields()),
            '(' => one_or_list(self.items(')')),
            _ => self.named(),
        }
    }

    fn named(&mut self) -> Tree {
        let mut name = String::new();
        while !" ,:()[]{}\"".contains(self.peek()) {
            name.push(self.peek());
            self.at += 1;
        }
        match self.peek() {
            // b"...": bytes.
            '"' => Tree::Leaf(format!("{name}{}", self.quoted())),
            '(' => one_or_list(self.items(')')),
            ' ' if self.peek_at(1) == '{' => {
                self.at += 1;
                Tree::Fields(self.fields())
            }
            _ => Tree::Leaf(name),
        }
    }

    fn quoted(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while self.peek() != '"' {
            self.at += if self.peek() == '\\' { 2 } else { 1 };
        }
        self.at += 1;
        self.text[start..self.at].iter().collect()
    }

    fn items(&mut self, end: char) -> Vec<Tree> {
        let mut items = Vec::new();
        self.at += 1;
        while self.skip_to(end) {
            items.push(self.value());
        }
        items
    }

    fn fields(&mut self) -> Vec<(String, Tree)> {
        let mut fields = Vec::new();
        self.at += 1;
        while self.skip_to('}') {
            let name = self.value().line();
            self.at += 1;
            self.spaces();
            let value = self.value();
            if name != "unknown_tagged_fields" || value != Tree::Fields(Vec::new()) {
                fields.push((name, value));
            }
        }
        fields
    }

    /// To the next item; false, and past the end, where there is none.
    fn skip_to(&mut self, end: char) -> bool {
        self.spaces();
        if self.peek() == end {
            self.at += 1;
            return false;
        }
        true
    }

    fn spaces(&mut self) {
        while matches!(self.peek(), ' ' | ',') {
            self.at += 1;
        }
    }

    fn peek(&self) -> char {
        self.peek_at(0)
    }

    /// An end in the middle of a value is a closing brace, so that every loop ends.
    fn peek_at(&self, ahead: usize) -> char {
        self.text.get(self.at + ahead).copied().unwrap_or('}')
    }
}

fn one_or_list(mut items: Vec<Tree>) -> Tree {
    if items.len() == 1 { items.remove(0) } else { Tree::List(items) }
}
