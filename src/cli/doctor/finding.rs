//! What is wrong, where, and how to mend it: one sentence for each.

use std::fmt;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Clients cannot connect, or cannot do what they came for.
    Problem,
    /// It works, and will surprise.
    Warning,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub weight: Weight,
    /// Its name for scripts.
    pub code: &'static str,
    /// Where it was found: the subject of its sentence.
    pub place: String,
    /// What it is: the rest of the sentence.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

impl Finding {
    /// A problem.
    pub fn problem(
        code: &'static str,
        place: impl Into<String>,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { weight: Weight::Problem, code, place: place.into(), what: what.into(), mend: mend.into() }
    }

    /// The same as a warning.
    pub fn lighter(self) -> Self {
        Self { weight: Weight::Warning, ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}.", self.place, self.what, self.mend)
    }
}

/// What was found, and what is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// The cluster's id, where it has one and was asked.
    pub cluster_id: Option<String>,
    /// Whether a broker was reached where it is advertised: all that can be seen from here.
    pub is_reached: bool,
    /// What works, as sentences.
    pub fine: Vec<String>,
    /// What does not.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// How many findings weigh so much.
    pub fn count(&self, weight: Weight) -> usize {
        self.findings.iter().filter(|finding| finding.weight == weight).count()
    }

    /// As text: what is well, what is not, and how many.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for sentence in &self.fine {
            text.push_str(&format!("ok       {sentence}\n"));
        }
        for finding in &self.findings {
            let word = if finding.weight == Weight::Problem { "problem" } else { "warning" };
            text.push_str(&format!("{word}  {finding}\n"));
        }
        let (problems, warnings) = (self.count(Weight::Problem), self.count(Weight::Warning));
        text.push_str(&match (problems, warnings) {
            (0, 0) => "nothing found: clients can connect\n".to_owned(),
            (0, _) if self.is_reached => format!("clients can connect, {}\n", plural(warnings, "warning")),
            (0, _) => format!("no problem as far as could be seen, {}\n", plural(warnings, "warning")),
            (_, 0) => format!("{}\n", plural(problems, "problem")),
            _ => format!("{}, {}\n", plural(problems, "problem"), plural(warnings, "warning")),
        });
        text
    }

    /// As one JSON object.
    pub fn json(&self) -> serde_json::Value {
        let findings = self.findings.iter().map(|finding| {
            serde_json::json!({
                "severity": if finding.weight == Weight::Problem { "problem" } else { "warning" },
                "code": finding.code,
                "where": finding.place,
                "what": finding.what,
                "mend": finding.mend,
                "sentence": finding.to_string(),
            })
        });
        serde_json::json!({
            "clusterId": self.cluster_id,
            "reached": self.is_reached,
            "ok": self.fine,
            "findings": findings.collect::<Vec<_>>(),
            "problems": self.count(Weight::Problem),
            "warnings": self.count(Weight::Warning),
        })
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}
