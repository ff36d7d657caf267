//! The syntax of JAAS files (`javax.security.auth.login.Configuration`):
//! `Entry { module.Class required option="value" ...; ... };`, with comments of C, C++ and the shell.

/// One entry and the classes of its login modules, without their packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) modules: Vec<String>,
}

/// Reads the entries of a file. Options are walked over: they hold the passwords.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, String> {
    let mut tokens = tokens(text)?.into_iter();
    let mut entries = Vec::new();
    while let Some(name) = tokens.next() {
        if tokens.next().as_deref() != Some("{") {
            return Err(format!("no {{ behind {name}"));
        }
        let mut modules = Vec::new();
        loop {
            let class = tokens.next().ok_or_else(|| format!("{name} has no end"))?;
            if class == "}" {
                break;
            }
            let simple = class.rsplit('.').next().unwrap_or(&class).to_owned();
            modules.push(simple);
            if !tokens.by_ref().any(|token| token == ";") {
                return Err(format!("no ; behind a module of {name}"));
            }
        }
        // Java wants a semicolon here; files without one are common enough.
        if tokens.as_slice().first().map(String::as_str) == Some(";") {
            tokens.next();
        }
        entries.push(Entry { name, modules });
    }
    Ok(entries)
}

/// Words, quoted texts (without their quotes, marked so that none of them is a sign) and the signs `{ } ; =`.
fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, tail) = match first {
            '#' => (None, after(rest, "\n")),
            '/' if rest.starts_with("//") => (None, after(rest, "\n")),
            '/' if rest.starts_with("/*") => (None, after(rest, "*/")),
            '{' | '}' | ';' | '=' => (Some(first.to_string()), rest.get(1..).unwrap_or("")),
            '"' | '\'' => {
                let (quoted, tail) = quoted(rest, first)?;
                (Some(format!("\"{quoted}")), tail)
            }
            _ => {
                let end =
                    rest.find(|c: char| c.is_whitespace() || "{};=\"'".contains(c)).unwrap_or(rest.len());
                let (word, tail) = rest.split_at(end);
                (Some(word.to_owned()), tail)
            }
        };
        tokens.extend(token);
        rest = tail.trim_start();
    }
    Ok(tokens)
}

fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or("", |(_, tail)| tail)
}

/// The text between two quotes; a backslash keeps the quote behind it.
fn quoted(text: &str, quote: char) -> Result<(&str, &str), String> {
    let inner = text.strip_prefix(quote).unwrap_or(text);
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => {
                let (inside, tail) = inner.split_at(at);
                return Ok((inside, tail.strip_prefix(quote).unwrap_or(tail)));
            }
            _ => {}
        }
    }
    Err("a quote is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, modules: &[&str]) -> Entry {
        Entry { name: name.to_owned(), modules: modules.iter().map(|m| (*m).to_owned()).collect() }
    }

    #[test]
    fn entries_and_modules_are_found() {
        let text = r#"
            // the broker's
            KafkaServer {
                org.apache.kafka.common.security.plain.PlainLoginModule required
                username="admin" password="a;}{\"b" user_admin='x' ;
                org.apache.kafka.common.security.scram.ScramLoginModule required;
            };
            /* for { ZooKeeper */
            Client { org.apache.zookeeper.server.auth.DigestLoginModule required a=b; }
            # end"#;
        let expected = [
            entry("KafkaServer", &["PlainLoginModule", "ScramLoginModule"]),
            entry("Client", &["DigestLoginModule"]),
        ];
        assert_eq!(entries(text).unwrap(), expected);
        assert_eq!(entries("").unwrap(), []);
    }

    #[test]
    fn other_texts_are_told_from_them() {
        for (text, reason) in [
            ("KafkaServer", "no { behind KafkaServer"),
            ("KafkaServer {", "KafkaServer has no end"),
            ("KafkaServer { a required", "no ; behind a module of KafkaServer"),
            ("KafkaServer { a required b=\"c; };", "a quote is not closed"),
            ("{ } ;", "no { behind {"),
        ] {
            assert_eq!(entries(text).unwrap_err(), reason, "{text}");
        }
    }
}
