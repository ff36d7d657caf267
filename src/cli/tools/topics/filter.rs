//! Which topics a `--topic` takes: a regular expression with `,` for `|` (`IncludeList` of Kafka's tools).

use regex::Regex;

/// What `--topic` says.
#[derive(Clone, Debug)]
pub enum TopicFilter {
    /// There is none: every topic.
    All,
    /// One name without anything of an expression in it.
    Name(String),
    /// An expression that has to match the whole name.
    Expression(Regex),
}

impl TopicFilter {
    /// Reads it.
    pub fn new(topic: Option<&str>) -> Result<Self, String> {
        let Some(topic) = topic else { return Ok(Self::All) };
        let quotes: &[char] = &['"', '\''];
        let text = topic.trim().replace(',', "|").replace(' ', "");
        let text = text.trim_matches(quotes);
        if text.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')) {
            return Ok(Self::Name(text.to_owned()));
        }
        let expression = Regex::new(&format!("^(?:{text})$"));
        expression.map(Self::Expression).map_err(|_invalid| format!("{text} is an invalid regex."))
    }

    /// Whether it takes this topic.
    pub fn takes(&self, topic: &str) -> bool {
        match self {
            Self::All => true,
            Self::Name(name) => name == topic,
            Self::Expression(expression) => expression.is_match(topic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_are_matched() {
        let takes = |filter: &str, topic: &str| TopicFilter::new(Some(filter)).unwrap().takes(topic);
        assert!(takes("orders", "orders") && !takes("orders", "orders2"));
        assert!(takes("a,b", "b") && takes("a.*", "abc") && !takes("a.*", "bac"));
        assert!(takes("'x'", "x") && takes("a.b", "a.b") && takes("a.b", "axb"));
        assert!(TopicFilter::new(None).unwrap().takes("anything"));
        assert_eq!(TopicFilter::new(Some("(")).unwrap_err(), "( is an invalid regex.");
    }
}
