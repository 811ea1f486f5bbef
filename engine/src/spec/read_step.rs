//! `steps:` to [`StepSpec`]s.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::{
    Budget, ForEachSpec, Node, NodeKind, OnExceeded, Permissions, Persist, RepeatSpec, Spanned, StepSpec,
    cx::{Cx, Fields},
    keys,
};
use crate::{
    diag::{Code, Diagnostic, Span},
    expr::Template,
    model::{Backoff, Name, RetryPolicy},
};

/// What steps take where they give nothing themselves.
#[derive(Debug, Clone, Default)]
pub(super) struct Defaults {
    pub(super) retry: RetryPolicy,
    pub(super) timeout: Option<std::time::Duration>,
    pub(super) deadline: Option<std::time::Duration>,
    pub(super) memory: Option<u64>,
    pub(super) env: IndexMap<String, Spanned<Template>>,
}

/// Where a list of steps stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Steps,
    Body,
    OnFailure,
    Finally,
}

impl Place {
    fn word(self) -> &'static str {
        match self {
            Self::Steps | Self::Body => "steps",
            Self::OnFailure => "on_failure",
            Self::Finally => "finally",
        }
    }
}

/// Reads steps; ids are one space for the whole file.
pub(super) struct StepReader<'c> {
    pub(super) cx: &'c mut Cx,
    pub(super) defaults: Defaults,
    pub(super) ids: HashMap<Name, Span>,
}

impl StepReader<'_> {
    pub(super) fn steps(&mut self, node: &Node, place: Place) -> Vec<StepSpec> {
        if let (NodeKind::Map(entries), Some((key, _))) = (&node.kind, node.entries().and_then(<[_]>::first)) {
            if entries.iter().all(|(_, v)| v.entries().is_some()) {
                let problem = super::cx::shape(node, format!("`{}` is a list", place.word()))
                    .help(format!("write each step as `- id: {}` and its keys below", key.text));
                self.cx.push(problem);
                return Vec::new();
            }
        }
        let items = self.cx.list(node, &format!("`{}`", place.word()));
        if items.is_empty() && node.items().is_some() && place != Place::OnFailure && place != Place::Finally {
            self.cx.push(
                Diagnostic::new(Code::EmptyPipeline, node.span, "there are no steps")
                    .help("add one: `- {id: hello, uses: shell, with: {command: [echo, hello]}}`"),
            );
        }
        let mut out = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            out.extend(self.step(item, place, index));
        }
        out
    }

    fn step(&mut self, node: &Node, place: Place, index: usize) -> Option<StepSpec> {
        let required = matches!(place, Place::Steps | Place::Body);
        let before = self.cx.problems.len();
        let fields = self.cx.fields(node, &keys::STEP)?;
        if !required {
            // These are named by their place, so `needs id` is no problem of theirs.
            let own: Vec<_> = self.cx.problems.drain(before..).filter(|p| p.code != Code::MissingKey).collect();
            self.cx.problems.extend(own);
        }
        let id = match fields.get("id") {
            Some(id) => self.cx.name(id, "an id"),
            // `name:` is what other engines call it, and what refers to the step goes by it.
            None => match fields.get("name").and_then(Node::text).and_then(|t| Name::new(&t.value)) {
                Some(name) => Some(Spanned::new(name, node.span)),
                None if required => None,
                None => Name::new(&format!("{}_{}", place.word(), index + 1)).map(|n| Spanned::new(n, node.span)),
            },
        };
        if let Some(id) = &id {
            match self.ids.get(&id.value) {
                Some(first) => {
                    let problem =
                        Diagnostic::new(Code::DuplicateId, id.span, format!("there are two steps `{}`", id.value))
                            .label("again")
                            .also(*first, "first here")
                            .help("an id names one step: rename one of them");
                    self.cx.push(problem);
                }
                None => drop(self.ids.insert(id.value.clone(), id.span)),
            }
        }
        // A step without any id has been reported; the rest of it is checked under a made-up one.
        let known = id.is_some();
        let id = id.or_else(|| Name::new(&format!("step_{}", index + 1)).map(|n| Spanned::new(n, node.span)))?;
        let step = self.read(node, &fields, id);
        known.then_some(step)
    }

    fn read(&mut self, node: &Node, fields: &Fields<'_>, id: Spanned<Name>) -> StepSpec {
        let uses = fields.get("uses").and_then(|n| Some(Spanned::new(self.cx.string(n, "`uses`")?, n.span)));
        let body = fields.get("steps").map(|n| self.steps(n, Place::Body)).unwrap_or_default();
        self.uses_or_body(node, fields);
        if let Some(with) = fields.get("with").filter(|w| !matches!(w.kind, NodeKind::Null)) {
            self.cx.map(with, "`with`");
        }
        let needs = fields.get("needs").map(|n| self.needs(n, &id.value)).unwrap_or_default();
        let condition = fields.get("if").and_then(|n| self.cx.expr(n, "`if`"));
        let for_each = self.for_each(fields);
        let repeat = fields.get("repeat").and_then(|n| self.repeat(n));
        if let (Some(_), Some(at)) = (fields.get("for_each"), fields.key("repeat")) {
            let problem =
                Diagnostic::new(Code::ConflictingKeys, at, "`repeat` and `for_each` do not go together in one step");
            self.cx.push(problem.help("put the step with `repeat` into a body: `for_each: ..` and `steps: [..]`"));
        }
        let retry = match fields.get("retry") {
            Some(n) => {
                let base = self.defaults.retry.clone();
                retry(self.cx, n, base)
            }
            None => self.defaults.retry.clone(),
        };
        let mut env = self.defaults.env.clone();
        if let Some(n) = fields.get("env") {
            env.extend(environment(self.cx, n));
        }
        let cx = &mut *self.cx;
        let persist = [("always", Persist::Always), ("never", Persist::Never)];
        StepSpec {
            span: node.span,
            id,
            uses,
            with: fields.get("with").filter(|w| w.entries().is_some()).cloned(),
            body,
            needs,
            condition,
            for_each,
            repeat,
            retry,
            timeout: fields.get("timeout").and_then(|n| cx.duration(n, "`timeout`")).or(self.defaults.timeout),
            deadline: fields.get("deadline").and_then(|n| cx.duration(n, "`deadline`")).or(self.defaults.deadline),
            continue_on_error: fields
                .get("continue_on_error")
                .and_then(|n| cx.bool(n, "`continue_on_error`"))
                .unwrap_or(false),
            env,
            cache: fields.get("cache").and_then(|n| cx.bool(n, "`cache`")).unwrap_or(false),
            persist: fields.get("persist").and_then(|n| cx.choice(n, "`persist`", &persist)).unwrap_or_default(),
            state: fields.get("state").map(|n| cx.templates(n, "`state`")).unwrap_or_default(),
            memory: fields.get("memory").and_then(|n| cx.size(n, "`memory`")).or(self.defaults.memory),
            budget: fields.get("budget").and_then(|n| budget(cx, n)),
            permissions: fields.get("permissions").and_then(|n| permissions(cx, n)),
            description: fields.get("description").and_then(|n| cx.string(n, "`description`")),
        }
    }

    fn uses_or_body(&mut self, node: &Node, fields: &Fields<'_>) {
        let told = ["run", "command", "script", "type", "task", "action", "kind"];
        match (fields.key("uses"), fields.key("steps")) {
            (Some(_), Some(at)) => {
                let problem = Diagnostic::new(Code::ConflictingKeys, at, "a step has `uses` or `steps`, not both");
                self.cx.push(problem.help("move what `uses` says into a step of the body"));
            }
            (None, Some(at)) if fields.get("for_each").is_none() => {
                let problem = Diagnostic::new(Code::ConflictingKeys, at, "a body of `steps` needs `for_each`");
                self.cx.push(problem.help("add `for_each`, or write the steps in the list above"));
            }
            (None, None) if !self.cx.partial && !told.iter().any(|t| fields.get(t).is_some()) => {
                let near = fields.entries.iter().any(|(k, _)| strsim::damerau_levenshtein(&k.text, "uses") == 1);
                if !near {
                    let span = fields.entries.first().map_or(node.span, |(k, _)| k.span);
                    let problem = Diagnostic::new(Code::MissingKey, span, "a step needs `uses`");
                    self.cx.push(problem.help("say which kind of step it is; `millwork steps` lists them"));
                }
            }
            _ => {}
        }
        if let (Some(at), None) = (fields.key("with"), fields.key("uses")) {
            if fields.get("steps").is_some() {
                let problem =
                    Diagnostic::new(Code::ConflictingKeys, at, "`with` belongs to `uses`, and this step has a body");
                self.cx.push(problem.help("move it into a step of the body"));
            }
        }
    }

    fn needs(&mut self, node: &Node, own: &Name) -> Vec<Spanned<Name>> {
        let mut out: Vec<Spanned<Name>> = Vec::new();
        if matches!(node.kind, NodeKind::Map(_) | NodeKind::Null) {
            self.cx.push(
                super::cx::shape(node, "`needs` is an id or a list of ids".to_owned())
                    .help("write `needs: [one, two]`"),
            );
            return out;
        }
        let mut seen = std::collections::HashSet::new();
        for item in self.cx.one_or_more(node) {
            if let Some(text) = item.text().filter(|t| t.value.contains([',', ' ']) && !t.value.contains("${{")) {
                let ids = text.value.split([',', ' ']).filter(|p| !p.is_empty()).collect::<Vec<_>>().join(", ");
                let problem = Diagnostic::new(Code::WrongShape, item.span, "`needs` names several steps in one text");
                self.cx.push(problem.help("several ids are a list").suggest(format!("[{ids}]")));
                continue;
            }
            let Some(name) = self.cx.name(item, "an id") else { continue };
            if name.value == *own {
                let problem =
                    Diagnostic::new(Code::ConflictingKeys, name.span, format!("the step `{own}` needs itself"));
                self.cx.push(problem.help("remove it from `needs`"));
            } else if seen.insert(name.value.clone()) {
                out.push(name);
            }
        }
        out
    }

    fn for_each(&mut self, fields: &Fields<'_>) -> Option<ForEachSpec> {
        let cx = &mut *self.cx;
        let max_parallel = fields.get("max_parallel").and_then(|n| cx.int(n, "`max_parallel`", 1));
        let batch = fields.get("batch").and_then(|n| cx.int(n, "`batch`", 1));
        let key = fields.get("key").and_then(|n| cx.expr(n, "`key`"));
        let min_success = fields.get("min_success").and_then(|n| cx.share(n, "`min_success`"));
        let Some(over) = fields.get("for_each") else {
            for word in ["max_parallel", "key", "batch", "min_success"] {
                if let Some(at) = fields.key(word) {
                    let problem = Diagnostic::new(
                        Code::ConflictingKeys,
                        at,
                        format!("`{word}` belongs to `for_each`, which is not there"),
                    );
                    cx.push(problem.help(format!("add `for_each: ${{{{ inputs.files }}}}`, or remove `{word}`")));
                }
            }
            return None;
        };
        if let NodeKind::List(items) = &over.kind {
            let problem = super::cx::shape(over, "`for_each` is an expression".to_owned());
            let plain = items.iter().all(|i| i.text().is_some());
            let listed = items.iter().filter_map(|i| i.text()).map(|t| format!("'{}'", t.value)).collect::<Vec<_>>();
            let fix = format!("\"${{{{ [{}] }}}}\"", listed.join(", "));
            cx.push(if plain { problem.help(format!("write {fix}")).suggest(fix) } else { problem });
            return None;
        }
        let over = cx.expr(over, "`for_each`")?;
        Some(ForEachSpec { over, max_parallel, key, batch, min_success: min_success.unwrap_or(1.0) })
    }

    fn repeat(&mut self, node: &Node) -> Option<RepeatSpec> {
        let cx = &mut *self.cx;
        let fields = cx.fields(node, &keys::REPEAT)?;
        let until = fields.get("until").and_then(|n| cx.expr(n, "`until`"));
        let every = fields.get("every").and_then(|n| cx.duration(n, "`every`"));
        let max = fields.get("max").and_then(|n| cx.int(n, "`max`", 1));
        Some(RepeatSpec { until: until?, every: every?, max: max? })
    }
}

/// `retry:` over what `base` says.
pub(super) fn retry(cx: &mut Cx, node: &Node, base: RetryPolicy) -> RetryPolicy {
    if let NodeKind::Int(times) = node.kind {
        let problem = super::cx::shape(node, "`retry` is a mapping".to_owned());
        cx.push(
            problem
                .suggest(format!("{{max_attempts: {}}}", times.saturating_add(1).max(1)))
                .help("attempts count the first one too"),
        );
        return base;
    }
    let Some(fields) = cx.fields(node, &keys::RETRY) else { return base };
    let backoffs =
        [("constant", Backoff::Constant), ("linear", Backoff::Linear), ("exponential", Backoff::Exponential)];
    let mut policy = base;
    if let Some(value) = fields.get("max_attempts").and_then(|n| cx.int(n, "`max_attempts`", 1)) {
        policy.max_attempts = value;
    }
    if let Some(value) = fields.get("delay").and_then(|n| cx.duration(n, "`delay`")) {
        policy.delay = value;
        // A limit that was only a default does not shorten a delay that was written.
        policy.max_delay = policy.max_delay.max(value);
    }
    if let Some(value) = fields.get("backoff").and_then(|n| cx.choice(n, "`backoff`", &backoffs)) {
        policy.backoff = value;
    }
    if let Some(at) = fields.get("max_delay") {
        if let Some(value) = cx.duration(at, "`max_delay`") {
            policy.max_delay = value;
            if value < policy.delay {
                let problem = Diagnostic::new(Code::ConflictingKeys, at.span, "`max_delay` is shorter than `delay`");
                cx.push(problem.help("no delay is longer than `max_delay`, so make it at least as long as `delay`"));
            }
        }
    }
    if let Some(value) = fields.get("jitter").and_then(|n| cx.bool(n, "`jitter`")) {
        policy.jitter = value;
    }
    if let Some(node) = fields.get("on") {
        let items = cx.one_or_more(node);
        policy.on_codes = items.iter().filter_map(|n| cx.string(n, "a fault code")).collect();
    }
    if let Some(node) = fields.get("on_exit_codes") {
        let items = cx.one_or_more(node);
        policy.on_exit_codes =
            items.iter().filter_map(|n| cx.int(n, "an exit code", 0)).filter_map(|n| i32::try_from(n).ok()).collect();
    }
    policy
}

pub(super) fn environment(cx: &mut Cx, node: &Node) -> IndexMap<String, Spanned<Template>> {
    let mut out = IndexMap::new();
    for (key, value) in cx.map(node, "`env`") {
        let ok = key
            .text
            .bytes()
            .enumerate()
            .all(|(i, b)| b == b'_' || b.is_ascii_alphabetic() || (i > 0 && b.is_ascii_digit()));
        if !ok || key.text.is_empty() {
            let problem = Diagnostic::new(
                Code::BadName,
                key.span,
                format!("`{}` is no name of an environment variable", key.text),
            );
            cx.push(problem.help("letters, digits and `_`, not beginning with a digit"));
        }
        if matches!(value.kind, NodeKind::List(_) | NodeKind::Map(_)) {
            cx.push(super::cx::shape(value, format!("the variable `{}` is text", key.text)));
        } else if let Some(template) = cx.template(value) {
            out.insert(key.text.to_string(), template);
        }
    }
    out
}

pub(super) fn budget(cx: &mut Cx, node: &Node) -> Option<Budget> {
    let fields = cx.fields(node, &keys::BUDGET)?;
    let usd_micros = fields.get("usd").and_then(|n| {
        let usd = cx.number(n, "`usd`")?;
        if usd < 0.0 || usd > 1e12 {
            cx.push(
                Diagnostic::new(Code::NumberRange, n.span, format!("`usd` cannot be {usd}"))
                    .help("US dollars, such as 2.50"),
            );
            return None;
        }
        Some((usd * 1e6).round() as u64)
    });
    let tokens = fields.get("tokens").and_then(|n| cx.count(n, "`tokens`"));
    let words = [("park", OnExceeded::Park), ("fail", OnExceeded::Fail)];
    let on_exceeded = fields.get("on_exceeded").and_then(|n| cx.choice(n, "`on_exceeded`", &words)).unwrap_or_default();
    if fields.get("usd").is_none() && fields.get("tokens").is_none() {
        cx.push(
            Diagnostic::new(Code::MissingKey, node.span, "a budget needs `usd` or `tokens`")
                .help("write `{usd: 2.00}`"),
        );
    }
    Some(Budget { span: node.span, usd_micros, tokens, on_exceeded })
}

pub(super) fn permissions(cx: &mut Cx, node: &Node) -> Option<Permissions> {
    let fields = cx.fields(node, &keys::PERMISSIONS)?;
    let mut list = |key: &'static str| fields.get(key).map(|n| cx.texts(n, &format!("`{key}`"))).unwrap_or_default();
    let (http, files, env, secrets) = (list("http"), list("files"), list("env"), list("secrets"));
    for host in &http {
        let bare = host.value.split_once("://").map_or(host.value.as_str(), |(_, rest)| rest);
        let bare = bare.split('/').next().unwrap_or(bare);
        if bare != host.value || bare.is_empty() {
            let problem = Diagnostic::new(Code::BadHost, host.span, format!("`{}` is not a host", host.value));
            cx.push(
                problem
                    .help("hosts without scheme and path, such as `api.example.com` or `*.example.com`")
                    .suggest(bare),
            );
        }
    }
    let memory = fields
        .get("limits")
        .and_then(|n| cx.fields(n, &keys::LIMITS)?.get("memory").and_then(|n| cx.size(n, "`memory`")));
    let plain = |list: Vec<Spanned<String>>| list.into_iter().map(|s| s.value).collect();
    Some(Permissions { http: plain(http), files: plain(files), env: plain(env), secrets: plain(secrets), memory })
}
