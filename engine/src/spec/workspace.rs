//! `millwork.yaml`: what all pipelines of a folder share.

use std::time::Duration;

use indexmap::IndexMap;

use super::{
    Budget, Node, NodeKind, Outcome, Permissions, Spanned,
    cx::Cx,
    keys,
    read_pipeline::version,
    read_step::{budget, permissions},
    reader::read_tree,
    shape::{
        Keys,
        Shape::{self, Any, Bool, Duration as Time, Int, Keys as Fixed, List, Map, OneOf, Size, Text},
        key, must,
    },
};
use crate::{
    diag::{Code, Diagnostic, Source},
    model::Name,
};

/// `millwork.yaml`, every key understood.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The text it was read from.
    pub source: Source,
    /// `connections:` by name.
    pub connections: IndexMap<Name, Connection>,
    /// `pools:`: slots that runs share.
    pub pools: IndexMap<Name, u32>,
    /// `secrets:`: where secrets come from, asked in order.
    pub secrets: Vec<SecretProvider>,
    /// `models:`, shape-checked, kept as written.
    pub models: Option<Node>,
    /// `budget:` of all runs of a day.
    pub budget: Option<Budget>,
    /// `retention:`.
    pub retention: Retention,
    /// `allow_steps:`: kinds that pipelines may use; all if `None`.
    pub allow_steps: Option<Vec<Spanned<String>>>,
    /// `permissions:`: the most that a pipeline may be granted; no limit if `None`.
    pub permissions: Option<Permissions>,
    /// `durability:`.
    pub durability: WorkspaceDurability,
    /// `max_parallel:` of all runs.
    pub max_parallel: Option<u32>,
    /// `memory:` of all runs, in bytes.
    pub memory: Option<u64>,
}

/// A database or a store that steps name.
#[derive(Debug, Clone)]
pub struct Connection {
    /// `kind:`, such as `postgres`.
    pub kind: Spanned<String>,
    /// The mapping as written, `kind` among it.
    pub settings: Node,
}

/// Where secrets come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretProvider {
    /// Environment variables, with a prefix before the secret's name.
    Env {
        /// The prefix; may be empty.
        prefix: String,
    },
    /// A file with `NAME=value` lines, or a folder with a file each.
    File {
        /// Relative to the workspace.
        path: String,
    },
}

/// `durability:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WorkspaceDurability {
    /// Survives the loss of power.
    #[default]
    Power,
    /// Survives kill -9 of the process only.
    Process,
}

/// `retention:`: how long `gc` keeps things; as long as it is told where `None`. Artifacts are kept as long as anything
/// that names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Ended runs and their events.
    pub runs: Option<Duration>,
    /// Cached results.
    pub cache: Option<Duration>,
    /// Log lines.
    pub logs: Option<Duration>,
}

static CONNECTION: Keys = Keys {
    what: "a connection",
    name: "connection",
    list: &[
        must("kind", OneOf(CONNECTION_KINDS), "what is connected to"),
        key("url", Text, "where it is"),
        key("user", Text, "who asks"),
        key("password", Text, "a reference such as `${{ secrets.DB_PASSWORD }}`"),
        key("region", Text, "region of a store"),
        key("bucket", Text, "bucket of a store"),
        key("max_connections", Int(1), "connections at once"),
        key("options", Map(&Any), "settings of the kind"),
    ],
    foreign: &[("type", "kind"), ("dsn", "url"), ("uri", "url"), ("host", "url"), ("username", "user")],
};
const CONNECTION_KINDS: &[&str] = &["postgres", "mysql", "sqlite", "s3", "gcs", "azure", "http"];
static SECRETS: Keys = Keys {
    what: "a provider of secrets",
    name: "secret_provider",
    list: &[
        key("env", Fixed(&SECRET_ENV), "environment variables"),
        key("file", Fixed(&SECRET_FILE), "a file of `NAME=value` lines, or a folder with a file each"),
    ],
    foreign: &[],
};
static SECRET_ENV: Keys =
    Keys { what: "`env`", name: "secret_env", list: &[key("prefix", Text, "before the secret's name")], foreign: &[] };
static SECRET_FILE: Keys =
    Keys { what: "`file`", name: "secret_file", list: &[must("path", Text, "file or folder")], foreign: &[] };
static MODELS: Keys = Keys {
    what: "`models`",
    name: "models",
    list: &[
        key("providers", Map(&Fixed(&PROVIDER)), "who serves models"),
        key("aliases", Map(&Text), "names for `provider/model`"),
    ],
    foreign: &[],
};
static PROVIDER: Keys = Keys {
    what: "a provider of models",
    name: "model_provider",
    list: &[
        must("kind", OneOf(&["openai", "anthropic", "local"]), "the interface it speaks"),
        key("url", Text, "where it is"),
        key("api_key", Text, "a reference such as `${{ secrets.API_KEY }}`"),
        key("timeout", Time, "time for one call"),
        key("max_parallel", Int(1), "calls at once"),
        key("stream", Bool, "whether tokens are shown as they come"),
    ],
    foreign: &[("type", "kind"), ("base_url", "url"), ("key", "api_key"), ("token", "api_key")],
};
static RETENTION: Keys = Keys {
    what: "`retention`",
    name: "retention",
    list: &[key("runs", Time, "ended runs"), key("cache", Time, "cached results"), key("logs", Time, "log lines")],
    foreign: &[],
};
pub(super) static WORKSPACE: Keys = Keys {
    what: "a workspace",
    name: "workspace",
    list: &[
        must("version", Int(1), "version of the language: 1"),
        key("connections", Map(&Fixed(&CONNECTION)), "databases and stores that steps name"),
        key("pools", Map(&Int(1)), "slots that runs share"),
        key("secrets", List(&Fixed(&SECRETS)), "where secrets come from, asked in order"),
        key("models", Fixed(&MODELS), "providers of models, and names for models"),
        key("budget", Fixed(&keys::BUDGET), "what all runs of a day may spend"),
        key("retention", Fixed(&RETENTION), "how long things are kept"),
        key("allow_steps", List(&Text), "kinds that pipelines may use"),
        key("permissions", Fixed(&keys::PERMISSIONS), "the most that a pipeline may be granted"),
        key("durability", OneOf(&["power", "process"]), "what a recorded step survives"),
        key("max_parallel", Int(1), "steps and items of all runs at once"),
        key("memory", Size, "what all runs may hold"),
    ],
    foreign: &[("budgets", "budget"), ("providers", "models"), ("steps", "allow_steps"), ("databases", "connections")],
};

static CONNECTIONS: Shape = Map(&Fixed(&CONNECTION));
static MODELS_SHAPE: Shape = Fixed(&MODELS);

/// Reads `millwork.yaml`, with every problem at once.
pub fn read_workspace(source: &Source) -> Outcome<Workspace> {
    let tree = read_tree(source);
    let mut cx = Cx { problems: tree.diagnostics, partial: !tree.complete };
    let root = tree.root.unwrap_or(Node { span: crate::diag::Span::new(0, 0), kind: NodeKind::Map(Vec::new()) });
    let value = workspace(&mut cx, source, &root).filter(|_| tree.complete);
    Outcome::new(value, cx)
}

fn workspace(cx: &mut Cx, source: &Source, root: &Node) -> Option<Workspace> {
    let fields = cx.fields(root, &WORKSPACE)?;
    version(cx, &fields);
    let mut connections = IndexMap::new();
    if let Some(node) = fields.get("connections") {
        cx.conforms(node, &CONNECTIONS, "`connections`");
        for (key, settings) in node.entries().unwrap_or_default() {
            let kind = settings.get("kind").and_then(|k| Some(Spanned::new(k.text()?.value.to_string(), k.span)));
            if let (Some(name), Some(kind)) = (cx.name_of(&key.text, key.span, "a connection"), kind) {
                connections.insert(name, Connection { kind, settings: settings.clone() });
            }
            for secret in ["password", "options"].iter().filter_map(|k| settings.get(k)).filter_map(Node::text) {
                plain_secret(cx, secret, "a password");
            }
        }
    }
    let mut pools = IndexMap::new();
    for (key, value) in fields.get("pools").map(|n| cx.map(n, "`pools`")).unwrap_or_default() {
        let name = cx.name_of(&key.text, key.span, "a pool");
        let slots = cx.int(value, "slots", 1);
        pools.extend(name.zip(slots));
    }
    let mut secrets = Vec::new();
    for item in fields.get("secrets").map(|n| cx.list(n, "`secrets`")).unwrap_or_default() {
        secrets.extend(provider(cx, item));
    }
    let models = fields.get("models").cloned();
    if let Some(node) = &models {
        cx.conforms(node, &MODELS_SHAPE, "`models`");
        for (_, provider) in node.get("providers").and_then(Node::entries).unwrap_or_default() {
            if let Some(text) = provider.get("api_key").and_then(Node::text) {
                plain_secret(cx, text, "an API key");
            }
        }
    }
    let mut retention = Retention::default();
    if let Some(kept) = fields.get("retention").and_then(|n| cx.fields(n, &RETENTION)) {
        let mut time = |key: &str| kept.get(key).and_then(|n| cx.duration(n, &format!("`{key}`")));
        retention = Retention { runs: time("runs"), cache: time("cache"), logs: time("logs") };
    }
    let words = [("power", WorkspaceDurability::Power), ("process", WorkspaceDurability::Process)];
    Some(Workspace {
        source: source.clone(),
        connections,
        pools,
        secrets,
        models,
        budget: fields.get("budget").and_then(|n| budget(cx, n)),
        retention,
        allow_steps: fields.get("allow_steps").map(|n| cx.texts(n, "`allow_steps`")),
        permissions: fields.get("permissions").and_then(|n| permissions(cx, n)),
        durability: fields.get("durability").and_then(|n| cx.choice(n, "`durability`", &words)).unwrap_or_default(),
        max_parallel: fields.get("max_parallel").and_then(|n| cx.int(n, "`max_parallel`", 1)),
        memory: fields.get("memory").and_then(|n| cx.size(n, "`memory`")),
    })
}

fn provider(cx: &mut Cx, node: &Node) -> Option<SecretProvider> {
    if node.text().is_some_and(|t| &*t.value == "env") {
        return Some(SecretProvider::Env { prefix: String::new() });
    }
    let fields = cx.fields(node, &SECRETS)?;
    if fields.entries.len() != 1 {
        let problem = Diagnostic::new(Code::WrongShape, node.span, "a provider of secrets is `env` or `file`");
        cx.push(problem.help("write `- env: {prefix: APP_}` and `- file: {path: secrets.env}` as two elements"));
        return None;
    }
    if let Some(file) = fields.get("file") {
        let inner = cx.fields(file, &SECRET_FILE)?;
        return Some(SecretProvider::File { path: cx.string(inner.get("path")?, "`path`")? });
    }
    let env = fields.get("env")?;
    if matches!(env.kind, NodeKind::Null) {
        return Some(SecretProvider::Env { prefix: String::new() });
    }
    let prefix = cx.fields(env, &SECRET_ENV)?.get("prefix").and_then(|n| cx.string(n, "`prefix`"));
    Some(SecretProvider::Env { prefix: prefix.unwrap_or_default() })
}

fn plain_secret(cx: &mut Cx, text: &super::Text, what: &str) {
    if !text.value.contains("${{") {
        let span = text.map.span(0, text.value.len());
        let problem = Diagnostic::new(Code::PlainSecret, span, format!("{what} stands in the file"));
        cx.push(problem.help("write `\"${{ secrets.NAME }}\"`, and give the secret through the environment or a file"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_is_read_and_its_mistakes_are_named() {
        let good = "version: 1\nconnections:\n  lake: {kind: s3, bucket: b}\npools: {gpu: 2}\nsecrets: [env, {file: {path: s.env}}]\nretention: {runs: 30d}\ndurability: process\nmemory: 6GiB\n";
        let outcome = read_workspace(&Source::new("millwork.yaml", good));
        assert_eq!(outcome.diagnostics, []);
        let workspace = outcome.value.expect("a workspace");
        assert_eq!(workspace.secrets.len(), 2);
        assert_eq!(workspace.memory, Some(6 << 30));
        let bad = "connections: {db: {kind: postgress, password: hunter2}}\npools: {gpu: 0}\nretention: {runs: 30}\ndurabilty: power\n";
        let outcome = read_workspace(&Source::new("millwork.yaml", bad));
        let mut codes: Vec<_> = outcome.diagnostics.iter().map(|d| d.code.as_str()).collect();
        codes.sort_unstable();
        assert_eq!(codes, ["P0004", "P0005", "P0009", "P0013", "P0014", "P0024"]);
    }
}
