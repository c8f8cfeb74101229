//! Fenced blocks and headings of a Markdown document. Runs nothing.

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A config, or some tables of one.
    Toml,
    /// A condition in CEL.
    Condition,
    /// Commands, one on each line.
    Commands,
    /// Commands behind `$ `, and what they print.
    Session,
    /// A picture.
    Picture,
    /// None of these.
    Unknown,
}

/// A fenced block.
pub struct Block {
    document: String,
    /// The line of the document on which the text begins, counted from 1.
    line: usize,
    /// What stands behind the opening fence.
    pub info: String,
    pub kind: Kind,
    pub text: String,
}

impl Block {
    /// Where it stands: `README.md:12`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.document, self.line)
    }
}

/// All fenced blocks, from top to bottom.
pub fn blocks_of(document: &str, text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let content: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| !line.starts_with("```"))
            .collect();
        let text = content.iter().map(|line| format!("{line}\n")).collect();
        let kind = kind_of(info);
        blocks.push(Block {
            document: document.to_owned(),
            line: number + 2,
            info: info.to_owned(),
            kind,
            text,
        });
    }
    blocks
}

fn kind_of(info: &str) -> Kind {
    match info {
        "toml" => Kind::Toml,
        "cel" => Kind::Condition,
        "sh" => Kind::Commands,
        "console" => Kind::Session,
        "text" => Kind::Picture,
        _ => Kind::Unknown,
    }
}

/// The headings, with `#` ones in full, and the bold beginnings of paragraphs, which README uses for its tasks.
pub fn headings(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut above = Vec::new();
    let mut headings = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            continue;
        } else if line.starts_with('#') {
            let level = line.bytes().take_while(|byte| *byte == b'#').count();
            above.truncate(level - 1);
            above.push(line.trim_start_matches('#').trim().to_owned());
            headings.push(above.join(" / "));
        } else if let Some((bold, _)) = line
            .strip_prefix("**")
            .and_then(|rest| rest.split_once("**"))
        {
            headings.push(format!("{} / {bold}", above.join(" / ")));
        }
    }
    headings
}
