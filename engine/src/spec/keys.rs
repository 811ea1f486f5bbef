//! Every key of a pipeline.

use super::shape::Shape::Keys as Fixed;
use super::shape::{
    Keys,
    Shape::{
        Any, Bool, Count, Duration, Either, Expr, Int, List, Map, Name, Number, OneOf, OneOrMore, Share, Size, Text,
    },
    key, must,
};

pub(super) static PIPELINE: Keys = Keys {
    what: "a pipeline",
    name: "pipeline",
    list: &[
        must("version", Int(1), "version of the language: 1"),
        must("name", Name, "the pipeline's name"),
        key("description", Text, "what it is for"),
        key("on", Fixed(&ON), "what starts it"),
        key("inputs", Map(&Fixed(&INPUT)), "values given at the start"),
        key("secrets", List(&Text), "names that `secrets.NAME` may use"),
        key("budget", Fixed(&BUDGET), "what a run may spend"),
        key("concurrency", Fixed(&CONCURRENCY), "runs that share a limit"),
        key("pools", Map(&Int(1)), "slots of the workspace's pools that a run holds while it is under way"),
        key("priority", Int(0), "where runs wait, greater ones start first; 0 unless given"),
        key("permissions", Fixed(&PERMISSIONS), "what steps may reach outside"),
        key("defaults", Fixed(&DEFAULTS), "retry and timeout of steps that give none"),
        key("order", OneOf(&["graph", "sequence"]), "whether each step needs the one before"),
        key("fail_fast", Bool, "whether the first failure stops everything else"),
        key("max_parallel", Int(1), "steps and items at once"),
        key("deadline", Duration, "time for the whole run"),
        must("steps", List(&Fixed(&STEP)), "the work; order in the list means nothing"),
        key("on_failure", List(&Fixed(&STEP)), "steps that run when the run has failed"),
        key("finally", List(&Fixed(&STEP)), "steps that run at the end in any case"),
        key("outputs", Map(&Any), "values of the run"),
        key("tests", List(&Fixed(&TEST)), "cases for `millwork test`"),
    ],
    foreign: &[
        ("jobs", "steps"),
        ("tasks", "steps"),
        ("nodes", "steps"),
        ("stages", "steps"),
        ("schedule", "on"),
        ("cron", "on"),
        ("triggers", "on"),
        ("trigger", "on"),
        ("parameters", "inputs"),
        ("params", "inputs"),
        ("args", "inputs"),
        ("arguments", "inputs"),
        ("vars", "inputs"),
        ("variables", "inputs"),
        ("id", "name"),
        ("pipeline", "name"),
        ("timeout", "deadline"),
        ("on_error", "on_failure"),
        ("onExit", "finally"),
        ("errors", "on_failure"),
        ("ensure", "finally"),
        ("result", "outputs"),
        ("results", "outputs"),
    ],
};

pub(super) static STEP: Keys = Keys {
    what: "a step",
    name: "step",
    list: &[
        must("id", Name, "the step's name in expressions"),
        key("description", Text, "what it is for"),
        key("needs", OneOrMore(&Name), "steps that come before, without data"),
        key("if", Expr, "runs only when true"),
        key("for_each", Expr, "runs once for each element of a list, map or table"),
        key("max_parallel", Int(1), "items at once, with `for_each`"),
        key("key", Expr, "names each item, with `for_each`"),
        key("batch", Int(1), "rows per item of a table, with `for_each`"),
        key("min_success", Share, "share of items that must succeed, with `for_each`"),
        key("repeat", Fixed(&REPEAT), "runs again until a condition holds"),
        key("uses", Text, "the kind of step"),
        key("with", Map(&Any), "settings of that kind"),
        key("steps", List(&Fixed(&STEP)), "a body of several steps, with `for_each`"),
        key("env", Map(&Any), "environment of processes"),
        key("retry", Fixed(&RETRY), "how often and how patiently it is tried"),
        key("timeout", Duration, "time for one attempt"),
        key("deadline", Duration, "time for all attempts"),
        key("continue_on_error", Bool, "a failure lets the run go on; outputs become optional"),
        key("cache", Bool, "an equal earlier result may be taken"),
        key("persist", OneOf(&["always", "never"]), "whether outputs are kept"),
        key("state", Map(&Any), "values committed together with the step"),
        key("memory", Size, "what one attempt may hold"),
        key("budget", Fixed(&BUDGET), "what the step may spend"),
        key("permissions", Fixed(&PERMISSIONS), "narrower than those of the pipeline"),
    ],
    foreign: &[
        ("depends_on", "needs"),
        ("depends", "needs"),
        ("dependsOn", "needs"),
        ("dependencies", "needs"),
        ("after", "needs"),
        ("upstream", "needs"),
        ("when", "if"),
        ("condition", "if"),
        ("name", "id"),
        ("parameters", "with"),
        ("params", "with"),
        ("args", "with"),
        ("arguments", "with"),
        ("inputs", "with"),
        ("config", "with"),
        ("type", "uses"),
        ("task", "uses"),
        ("action", "uses"),
        ("kind", "uses"),
        ("run", "uses: shell"),
        ("command", "uses: shell"),
        ("script", "uses: shell"),
        ("foreach", "for_each"),
        ("withItems", "for_each"),
        ("with_items", "for_each"),
        ("loop", "for_each"),
        ("matrix", "for_each"),
        ("parallelism", "max_parallel"),
        ("concurrency", "max_parallel"),
        ("retries", "retry"),
        ("timeout_minutes", "timeout"),
        ("timeout-minutes", "timeout"),
        ("timeout_seconds", "timeout"),
        ("continue-on-error", "continue_on_error"),
        ("allow_failure", "continue_on_error"),
        ("environment", "env"),
        ("until", "repeat"),
    ],
};

static ON: Keys = Keys {
    what: "`on`",
    name: "on",
    list: &[
        key("schedule", OneOrMore(&Fixed(&SCHEDULE)), "at times"),
        key("webhook", OneOrMore(&Fixed(&WEBHOOK)), "when a request arrives"),
        key("file", OneOrMore(&Fixed(&FILE)), "when files arrive"),
        key("pipeline", OneOrMore(&Fixed(&UPSTREAM)), "when another pipeline ends"),
        key("artifact", OneOrMore(&Fixed(&CONTENT)), "when a file that another pipeline gives has other content"),
        key("table", OneOrMore(&Fixed(&CONTENT)), "when a table that another pipeline gives has other rows"),
        key("manual", Any, "by hand"),
    ],
    foreign: &[("cron", "schedule"), ("workflow_dispatch", "manual"), ("push", "file"), ("workflow_run", "pipeline")],
};
pub(super) fn on() -> &'static Keys {
    &ON
}

pub(super) static SCHEDULE: Keys = Keys {
    what: "a schedule",
    name: "schedule",
    list: &[
        must("cron", Text, "five fields, or `@daily` and friends"),
        key("timezone", Text, "IANA zone; UTC if left out"),
        key("catchup", OneOf(&["none", "latest", "all"]), "what happens to times missed"),
        key("catchup_limit", Int(1), "with `all`, at most this many; 100 if left out"),
        key("overlap", OneOf(&["skip", "queue", "cancel", "allow"]), "when the run before is not over"),
        key("jitter", Duration, "a delay drawn up to this"),
        key("dst", Fixed(&DST), "on days that clocks change"),
        key("finish_by", Text, "late if it has not succeeded by `06:00`, or `4h` after its time"),
        key("inputs", Map(&Any), "inputs of the runs it starts"),
    ],
    foreign: &[
        ("tz", "timezone"),
        ("zone", "timezone"),
        ("expression", "cron"),
        ("at", "cron"),
        ("catch_up", "catchup"),
        ("sla", "finish_by"),
        ("deadline", "finish_by"),
    ],
};
pub(super) static DST: Keys = Keys {
    what: "`dst`",
    name: "dst",
    list: &[
        key("gap", OneOf(&["run_after", "skip"]), "a time that does not exist"),
        key("overlap", OneOf(&["once", "twice"]), "a time that comes twice"),
    ],
    foreign: &[],
};
pub(super) static WEBHOOK: Keys = Keys {
    what: "a webhook",
    name: "webhook",
    list: &[
        must("path", Text, "path of the URL, such as `/orders`"),
        key("method", OneOf(&["POST", "PUT", "GET"]), "POST if left out"),
        key("secret", Text, "name of the secret that signs requests"),
        key(
            "scheme",
            OneOf(&["standard", "github"]),
            "how requests are signed: Standard Webhooks, or as GitHub does (an equal body counts once)",
        ),
        key("window", Duration, "how old a signed request may be; 5m if left out"),
        key("body", Text, "type of the body, such as `object{order: string, total: float}`"),
        key("inputs", Map(&Any), "inputs from `event`"),
    ],
    foreign: &[("url", "path"), ("token", "secret")],
};
pub(super) static FILE: Keys = Keys {
    what: "a file trigger",
    name: "file_trigger",
    list: &[
        must("path", OneOrMore(&Text), "paths or globs"),
        key("settle", Duration, "a file is taken when it has not changed for this long"),
        key("inputs", Map(&Any), "inputs from `event`"),
    ],
    foreign: &[("paths", "path"), ("glob", "path"), ("debounce", "settle")],
};
pub(super) static UPSTREAM: Keys = Keys {
    what: "a pipeline trigger",
    name: "pipeline_trigger",
    list: &[
        must("name", Text, "the other pipeline, or `*` for all"),
        key("status", OneOf(&["succeeded", "failed", "any", "late"]), "how it ended; `late`: not by its `finish_by`"),
        key("inputs", Map(&Any), "inputs from `event`"),
    ],
    foreign: &[("pipeline", "name"), ("id", "name")],
};
pub(super) static CONTENT: Keys = Keys {
    what: "a content trigger",
    name: "content_trigger",
    list: &[must("of", Text, "PIPELINE.OUTPUT of the other pipeline"), key("inputs", Map(&Any), "inputs from `event`")],
    foreign: &[("name", "of"), ("output", "of"), ("path", "of")],
};

pub(super) static INPUT: Keys = Keys {
    what: "an input",
    name: "input",
    list: &[
        key("type", Text, "type of the value; `any` if left out"),
        key("default", Any, "value if none is given"),
        key("description", Text, "what it is for"),
        key("enum", List(&Any), "the only values allowed"),
    ],
    foreign: &[
        ("required", "default"),
        ("options", "enum"),
        ("choices", "enum"),
        ("value", "default"),
        ("doc", "description"),
    ],
};
pub(super) static BUDGET: Keys = Keys {
    what: "a budget",
    name: "budget",
    list: &[
        key("usd", Number, "US dollars"),
        key("tokens", Count, "tokens"),
        key("on_exceeded", OneOf(&["park", "fail"]), "what happens at the limit"),
    ],
    foreign: &[("cost", "usd"), ("dollars", "usd"), ("max_tokens", "tokens")],
};
pub(super) static CONCURRENCY: Keys = Keys {
    what: "`concurrency`",
    name: "concurrency",
    list: &[
        must("group", Text, "runs with the same text share the limit"),
        key("limit", Int(1), "runs at once"),
        key("on_conflict", OneOf(&["queue", "skip", "cancel"]), "what a run does when the group is full"),
    ],
    foreign: &[("cancel-in-progress", "on_conflict: cancel"), ("max", "limit")],
};
pub(super) static PERMISSIONS: Keys = Keys {
    what: "`permissions`",
    name: "permissions",
    list: &[
        key("http", List(&Text), "hosts"),
        key("files", List(&Text), "paths; `:rw` behind those that may be written"),
        key("env", List(&Text), "environment variables"),
        key("secrets", List(&Text), "secrets"),
        key("limits", Fixed(&LIMITS), "limits of the run"),
    ],
    foreign: &[("network", "http"), ("hosts", "http"), ("paths", "files")],
};
pub(super) static LIMITS: Keys =
    Keys { what: "`limits`", name: "limits", list: &[key("memory", Size, "bytes that a run may hold")], foreign: &[] };
pub(super) static DEFAULTS: Keys = Keys {
    what: "`defaults`",
    name: "defaults",
    list: &[
        key("retry", Fixed(&RETRY), "`retry` of steps that give none"),
        key("timeout", Duration, "`timeout` of steps that give none"),
        key("deadline", Duration, "`deadline` of steps that give none"),
        key("memory", Size, "`memory` of steps that give none"),
        key("env", Map(&Any), "`env` beneath that of steps"),
    ],
    foreign: &[("retries", "retry")],
};
pub(super) static RETRY: Keys = Keys {
    what: "`retry`",
    name: "retry",
    list: &[
        key("max_attempts", Int(1), "attempts in all, the first included"),
        key("delay", Duration, "delay after the first failed attempt"),
        key("backoff", OneOf(&["constant", "linear", "exponential"]), "how the delay grows"),
        key("max_delay", Duration, "no delay is longer"),
        key("jitter", Bool, "whether delays are drawn from half to whole"),
        key("on", OneOrMore(&Text), "fault codes to retry"),
        key("on_exit_codes", OneOrMore(&Int(0)), "exit codes to retry"),
    ],
    foreign: &[
        ("attempts", "max_attempts"),
        ("limit", "max_attempts"),
        ("max_retries", "max_attempts"),
        ("times", "max_attempts"),
        ("interval", "delay"),
        ("factor", "backoff"),
        ("codes", "on"),
        ("exit_codes", "on_exit_codes"),
    ],
};
pub(super) static REPEAT: Keys = Keys {
    what: "`repeat`",
    name: "repeat",
    list: &[
        must("until", Expr, "ends the repetition when true"),
        must("every", Duration, "time between two iterations"),
        must("max", Int(1), "iterations at most"),
    ],
    foreign: &[
        ("while", "until"),
        ("interval", "every"),
        ("delay", "every"),
        ("limit", "max"),
        ("max_attempts", "max"),
    ],
};
pub(super) static TEST: Keys = Keys {
    what: "a test",
    name: "test",
    list: &[
        must("name", Text, "what it shows"),
        key("given", Fixed(&GIVEN), "inputs, and outputs that stand in for steps"),
        must("expect", Fixed(&EXPECT), "what must come out"),
    ],
    foreign: &[("when", "given"), ("then", "expect"), ("assert", "expect")],
};
pub(super) static GIVEN: Keys = Keys {
    what: "`given`",
    name: "given",
    list: &[key("inputs", Map(&Any), "inputs"), key("steps", Map(&Map(&Any)), "outputs by step")],
    foreign: &[("mocks", "steps")],
};
pub(super) static EXPECT: Keys = Keys {
    what: "`expect`",
    name: "expect",
    list: &[
        key("steps", Map(&Either(&Text, &Map(&Any))), "outputs or status by step"),
        key("outputs", Map(&Any), "outputs of the run"),
        key("status", OneOf(STATUSES), "how the run ends; `succeeded` if left out"),
    ],
    foreign: &[],
};
pub(super) const STATUSES: &[&str] = &["succeeded", "failed", "cancelled", "waiting"];
