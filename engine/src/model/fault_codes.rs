//! What the codes of faults mean, for `millwork explain`.

use super::Blame::{self, External, Internal, User};

/// What there is to say of a code. Codes of the check of pipelines have pages of their own, in
/// [`diag`](crate::diag).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultPage {
    /// The code, such as `shell.exit`.
    pub code: &'static str,
    /// Whose fault it mostly is; the fault itself says it exactly.
    pub blame: Blame,
    /// What it means, and what helps.
    pub text: &'static str,
}

impl FaultPage {
    /// The page of a code.
    pub fn of(code: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|page| page.code == code)
    }
}

macro_rules! pages {
    ($($code:literal $blame:ident $text:literal;)*) => {
        impl FaultPage {
            /// Every code that a fault can have, in order.
            pub const ALL: &'static [Self] = &[$(Self { code: $code, blame: $blame, text: $text },)*];
        }
    };
}

// One line a code: what it means; what helps. A test of the engine finds codes that are missing here.
pages! {
    "answer.given" User "The question was answered already, and nobody has acted on the answer yet: `millwork runs resume` goes on with it.";
    "answer.none" User "The step that was answered waits for nobody's answer: `millwork why RUN` says what it waits for.";
    "answer.stale" User "The step shows something else by now than what was answered: read the question again.";
    "answer.wrong" User "The answer does not fit the form of the approval: give its values, each as `--value NAME=TEXT`.";
    "api.missing" User "There is no such thing under this address, or none that the token may see.";
    "api.panic" Internal "The server stumbled over a request: a bug of Millwork. Its log says where.";
    "api.request" User "The request cannot be read: the message says which part of it, and what is expected.";
    "approval.config" User "The form of an `approval` is wrong: a field has a type that a person cannot give.";
    "approval.none" User "No step of the run, or not this one, waits for a person: `millwork why RUN` says what it waits for.";
    "approval.refused" User "A person refused; the message says who. Start a new run when what was asked for is mended.";
    "approval.timeout" External "Nobody answered within `timeout`: give `default: approve` or `default: refuse` if silence has a meaning.";
    "artifact.corrupt" External "A stored result does not have the bytes that it was stored with: the disk or somebody changed it. Remove the file, then make the result again with `millwork runs rerun RUN --from STEP`, and check the disk.";
    "artifact.missing" External "A stored result is not there any more: its file was removed. Make it again with `millwork runs rerun RUN --from STEP`, where STEP is the step that gave it; `runs resume` cannot.";
    "artifact.read" External "A stored result is there and cannot be read: look at the disk and at the rights on the home.";
    "artifact.stopped" Internal "Work on stored results was stopped halfway.";
    "artifact.write" External "A result cannot be stored: look at the space and the rights of the disk that the home is on.";
    "assert.failed" User "A condition of an `assert` step is false; the message is the condition's own.";
    "auth.allowed_host" User "A name that the server is to be known by is no name of a host: give it without scheme, port and `*`.";
    "auth.csrf" User "A request with a session's cookie lacks the session's CSRF token: send the `csrf` of `GET /api/v1/session` as `X-Millwork-CSRF`.";
    "auth.expired" User "The token or the session has expired: log in again, or make a token with `millwork token create`.";
    "auth.forbidden" User "The role of the token is too small for this: use a token of the role that the message names.";
    "auth.host" User "The header `Host` is no name of this server: use the address that it listens on, or allow the name with `--host`.";
    "auth.missing" User "The request has no token, or none that is known: send `Authorization: Bearer mw_...`; `millwork token create` makes one.";
    "auth.origin" User "A page of another server made the request, which would change something: send a token from a program instead.";
    "auth.quota" User "The token has started as many runs as it may in a day: wait for the next day (UTC), or ask an admin for a token with a larger quota.";
    "auth.random" External "The operating system gives no random numbers, so no token and no session can be made.";
    "auth.revoked" User "The token was revoked: ask an admin for another one.";
    "auth.throttled" User "Too many requests, or too many logins that failed: wait as long as the message says.";
    "backfill.large" User "The range of a backfill has more than 2,000 times: take a shorter one, and another after it.";
    "backfill.none" User "There is no such backfill, or it was removed.";
    "backfill.record" Internal "What is kept of a backfill cannot be written as JSON.";
    "budget.answer" User "The answer to a question for more budget grants none: give `usd=1.50`, `tokens=20000`, or both.";
    "budget.exceeded" External "A call would cost more than is left of a budget: raise `budget`, or ask for less in one call.";
    "bundle" Internal "The check of a run's frozen pipeline was stopped halfway.";
    "bundle.check" User "The pipeline of a run, as it was when the run began, no longer passes its check, because something outside it changed, such as the columns of a file: start a new run.";
    "bundle.file" Internal "A file that a run's frozen pipeline names is not in it.";
    "call.ended" User "The run of a call ended without outputs: it was cancelled or interrupted.";
    "call.large" User "The outputs of a call are larger than an answer may be: read them from the run, or let the pipeline give less.";
    "call.timeout" External "The run of a call did not end in time and was cancelled: give it more with `timeout_s`, or start it and follow it.";
    "cancelled" External "The attempt was stopped, because the run was cancelled or interrupted. It is never retried; `millwork runs resume` makes it again.";
    "check.constant" Internal "A condition that depends on nothing asked for something.";
    "check.count" Internal "A count of `table.check` has no value.";
    "check.failed" User "A check of `table.check` with severity `error` failed. `outputs.results` of the step says which, `outputs.failures` holds the rows.";
    "check.results" Internal "The results of `table.check` cannot be kept.";
    "check.rows" Internal "The failing rows of `table.check` cannot be kept.";
    "check.stopped" Internal "A check was stopped before its end.";
    "cli.output" External "What was asked for was done, but cannot be printed: standard output is full or closed.";
    "cli.program" External "The path of the program `millwork`, which it starts as a guard of child processes, cannot be found.";
    "cli.runtime" External "Threads or the clock of the program cannot be started: the machine or its limits refuse.";
    "cli.signals" External "Signals such as Ctrl-C cannot be listened to: the machine or its limits refuse.";
    "cli.traces" User "Traces cannot be sent to where the environment says: look at the variables whose names begin with OTEL_EXPORTER_OTLP.";
    "cli.usage" User "The command line is wrong; `--help` after the command says what it takes.";
    "condition.type" User "A condition is neither true nor false: compare it with something, for example `x != null`.";
    "config.type" Internal "A configuration was handed to another kind of step.";
    "content.digest" Internal "The digest of a table's rows was not computed.";
    "content.file" External "A file that another pipeline gave cannot be read, so that its content cannot be compared.";
    "content.form" User "`on.table` names an output that is no table: `on.artifact` compares any other output.";
    "content.none" User "`on.table` or `on.artifact` names an output that the other pipeline does not give.";
    "content.rows" User "Rows with a column of this type cannot be compared: leave it out of the output that `on.table` names.";
    "deadline" External "The step, with all its attempts, took longer than its `deadline`: raise it, or make the work smaller.";
    "driver.stuck" Internal "The evaluation of a condition led to nothing.";
    "engine.closed" External "The program is being closed, so no further run was started: `millwork runs resume` goes on.";
    "event.type" User "The body of a webhook's request is not of the type that `body:` of the trigger says.";
    "executor.threads" External "Threads for steps cannot be started: the machine or its limits refuse.";
    "expr.argument" User "A function was given something that it cannot take, such as a text that is no number.";
    "expr.date" User "A text is no date, timestamp or length of time: dates are written 2024-02-29, timestamps 2024-02-29T12:00:00Z.";
    "expr.division_by_zero" User "An expression divides by zero: guard the divisor, for example `b == 0 ? null : a / b`.";
    "expr.field" User "A value has no such field: the message names the value and the field.";
    "expr.index" User "A place in a list or a text is not there: count from 0, or ask `length()` first.";
    "expr.json" User "A text given to `fromJSON` is not JSON; the message has the line and the column.";
    "expr.null" User "Something is asked of null: give a value in its place with `??`.";
    "expr.overflow" User "A number, a date or a length of time is too large to be held.";
    "expr.rows_unknown" User "The number of rows of a table is asked for before the table was read.";
    "expr.too_large" User "An expression makes more text or more values than it may: do the work in `sql` or in a command.";
    "expr.type" User "Values have types for which there is no such operation: convert one, for example with `string(x)` or `int(x)`.";
    "fmt.write" External "A pipeline cannot be written in its standard form: look at the rights on its folder.";
    "gc.logs" External "The log of an old run cannot be removed: look at the rights on the home.";
    "home.missing" User "There is no state where it was looked for: go to the folder of the pipeline, or give `--home`.";
    "home.network" User "The state is on a network file system, whose locks cannot be trusted: choose a local folder with `--home`.";
    "home.unusable" External "The folder of the state cannot be written: look at its rights and its disk, or choose another with `--home` or MILLWORK_HOME.";
    "hook.body" User "The body of a webhook's request is neither JSON nor text.";
    "hook.key" Internal "The secret of a webhook cannot be used as a key.";
    "hook.none" User "No pipeline listens at this path with this method: look at `on.webhook` of the pipelines.";
    "hook.signature" User "The request is not signed as the trigger says: by Standard Webhooks, or as GitHub does, with the trigger's secret.";
    "hook.time" User "The request was signed too long ago: sign it anew; `window:` of the trigger says how old one may be.";
    "idempotency.conflict" User "The `Idempotency-Key` belongs to a run that was asked for otherwise: take another key for something else.";
    "init.exists" User "`millwork init` found a pipeline already: give another folder.";
    "init.write" External "`millwork init` cannot write into the folder.";
    "input.enum" User "An input has a value that its `enum` does not allow.";
    "input.missing" User "An input without a default was not given: `--input NAME=VALUE`.";
    "input.several" User "Several inputs are wrong; the message has a line for each.";
    "input.type" User "An input cannot be converted to its type.";
    "input.unknown" User "The pipeline has no input of that name.";
    "item.cannot_park" User "A step inside a `for_each` waits for a person or a time, which items cannot: move it out of the `for_each`.";
    "items.changed" User "The list of a `for_each` is not what it was when the run began: make it from inputs and outputs of steps, and run again with `millwork runs rerun RUN --from STEP`.";
    "items.column" User "A column of the table that a `for_each` goes over has a type that an item cannot have: cast it in SQL.";
    "items.columns" User "The tables that the items of a `for_each` give have different columns: cast them to one type.";
    "items.failed" External "Fewer items of a `for_each` succeeded than `min_success` asks for. `millwork why RUN STEP` shows why; `millwork runs resume` makes those again that did not succeed.";
    "items.key" User "Two items of a `for_each` have the same `key`: it must tell items apart.";
    "items.many" User "A `for_each` has more items than it may have.";
    "items.missing" Internal "An item of a `for_each` is not there.";
    "items.type" User "A `for_each` takes a list, a map or a table, and was given something else.";
    "journal.changed" User "A step did other work under the same key in an earlier attempt: what it does must follow from its inputs alone.";
    "journal.unreadable" Internal "A recorded result of a call cannot be read.";
    "journal.unwritable" Internal "The result of a call cannot be recorded.";
    "kind.version" User "The run began with another version of a kind of step: resume it with that version of Millwork, or rerun it.";
    "late.record" Internal "What is kept of a run that is late cannot be written as JSON.";
    "log.broken" Internal "The recorded events of a run do not follow from each other.";
    "log.read" External "The log lines of a run cannot be read: look at the rights on the home.";
    "machine" Internal "The rules of runs refuse an event.";
    "notify.address" User "A mail names somebody that is no mailbox, nobody, or too many: addresses are written `ann@example.com` or `Ann Lee <ann@example.com>`.";
    "notify.attachment" User "A file cannot be attached: it is not there, not a file, or too large with the others; paths are taken from the pipeline's folder.";
    "notify.body" User "The body of a message holds a table or a file, which JSON cannot: send some of its values, or attach it to a mail.";
    "notify.busy" External "The receiver asks for patience (status 429): give the step a `retry`, which waits as long as the receiver asks for.";
    "notify.client" External "Nothing can be sent from this machine, mostly because it has no certificates of authorities: install the package `ca-certificates`.";
    "notify.connect" External "The receiver takes no connections: look at host and port, and at what stands between here and there.";
    "notify.dns" External "The name of the receiver has no address: look at its spelling, and at the network of this machine.";
    "notify.header" User "A header has a name or a value that no header may have, or one that the step sets itself.";
    "notify.id" Internal "The id of a message cannot be made.";
    "notify.login" User "The mail server does not take `user` and `password`: many want a password made for programs.";
    "notify.lost" External "The connection broke before the answer came, so the message may have arrived: another try sends it under the same id, by which the receiver can tell.";
    "notify.message" User "A mail cannot be made of its parts; the message says why.";
    "notify.redirect" User "The receiver points elsewhere, and redirects are not followed, so that nothing is sent where nobody meant it to go: give the address that it leads to.";
    "notify.refused" User "The receiver refuses the message (a status from 400 to 499); the message has the beginning of its answer.";
    "notify.sign" User "The key of `sign` cannot be used: give `whsec_` and the key in base64, or any other text.";
    "notify.slack_hook" User "Slack does not take messages by this hook any more: make a new one, and change the secret.";
    "notify.slack_message" User "Slack cannot read the message: try its `blocks` in Slack's Block Kit Builder.";
    "notify.smtp_busy" External "The mail server does not take the mail now (a code from 400 to 499): give the step a `retry`.";
    "notify.smtp_refused" User "The mail server refuses the mail (a code from 500 to 599), or lacks what it needs, such as STARTTLS; nobody got it.";
    "notify.status" User "The receiver answered with a status that `expect` does not name: add it there if it is a good one.";
    "notify.timeout" External "The receiver did not answer in time, so the message may have arrived: another try sends it under the same id. Raise `timeout` of the step's `with` if the receiver is slow.";
    "notify.tls" External "The receiver cannot prove who it is, or the connection cannot be encrypted: look at its certificate, at the host, and at `tls`.";
    "notify.unavailable" External "The receiver cannot take the message now (a status of 500 or more, 408 or 425): give the step a `retry`.";
    "notify.url" User "The address of the receiver is none: it begins with `https://` or `http://` and names a host. A secret address may be wrong or empty.";
    "outputs.none" User "The step has no outputs, because it did not succeed.";
    "owner.taken" Internal "The id that a process gave itself is taken.";
    "permissions.files" User "A step reads or writes a file that `permissions` do not allow: add its folder to `files`, with `:rw` to write.";
    "permissions.http" User "A step sends to a host that `permissions` do not allow: add it to `http`, such as `hooks.example.com` or `*.example.com`.";
    "pipeline.answer" Internal "How the run of a sub-pipeline ended cannot be read.";
    "pipeline.failed" User "The run of a sub-pipeline did not succeed: `millwork runs show` with its id says why.";
    "pipeline.missing" User "There is no pipeline at the path: `millwork init` writes a first one.";
    "pipeline.problems" User "The pipeline, or `millwork.yaml`, does not pass its check, so nothing was run: the problems are shown above the message.";
    "pipeline.several" User "There are several pipelines in the folder: name one.";
    "pipeline.unknown" User "There is no such pipeline, or none that the token may see.";
    "pipeline.unreadable" External "The file of a pipeline cannot be read: look at its rights.";
    "plan.body" Internal "The body of a `for_each` was not run as one.";
    "plan.items" Internal "A step without `for_each` was run as one with.";
    "plan.node" Internal "A plan has no such step.";
    "recompute.changed" User "Outputs that were not kept (`persist: never`) came out differently when they were made again: run again with `millwork runs rerun RUN --from STEP`.";
    "recompute.gone" User "Outputs are needed that were not kept: remove `persist: never` from the step that gives them.";
    "recompute.parked" Internal "A pure step waits for something.";
    "repeat.exhausted" User "`repeat` made as many iterations as it may, and `until` was never true.";
    "report.chart" User "A chart of a `report` lacks a key that its kind needs.";
    "report.template" User "The template of a `report` cannot be read or rendered; the message has its line.";
    "report.unwritable" External "The page of a `report` cannot be written: look at the rights and the space of the folder.";
    "report.value" User "A column has a type that a `report` cannot show: cast it in SQL.";
    "run.ambiguous" User "Several runs begin so: give more of the id.";
    "run.deadline" External "The run did not end before the pipeline's `deadline`: raise it, or make the work smaller.";
    "run.ended" User "The run has ended already, so it cannot be cancelled.";
    "run.exists" Internal "A step has started its sub-pipeline already.";
    "run.lost" Internal "The part of the program that drives a run is gone.";
    "run.origin" Internal "The log of a run does not begin with its creation.";
    "run.owned" User "A living process drives the run: wait for it, or cancel the run with `millwork runs cancel`.";
    "run.skipped" User "The concurrency group of the run is full and says `on_conflict: skip`: wait for its runs, or let them wait with `queue`.";
    "run.succeeded" User "The run has succeeded, so nothing is left to resume: `millwork runs rerun RUN --from STEP` runs steps again.";
    "run.unknown" User "There is no such run: `millwork runs list` shows those there are.";
    "schedule.none" User "The pipeline has no schedule: write one under `on: {schedule: ...}`.";
    "schedule.record" Internal "What is kept of a schedule cannot be written as JSON.";
    "schedule.year" User "Times can be listed for years from 1900 to 2400.";
    "scratch" External "A scratch folder for a step cannot be made: look at the space and the rights of the home.";
    "secret.closed" Internal "A secret was asked for where secrets are not open.";
    "secret.leak" User "An output holds a secret, and outputs are recorded: give what the secret opens, never the secret itself.";
    "secret.missing" User "A secret is nowhere: the message names the places that were looked at.";
    "secret.unreadable" User "The file of a secret cannot be read: look at its path and its rights.";
    "selftest.broken" Internal "`millwork selftest` lost something: the message says what, and what makes it happen again.";
    "selftest.io" External "`millwork selftest` cannot work in its folder: look at the space and the rights.";
    "serve.address" External "The address cannot be listened at: something else does, or it is not of this machine.";
    "serve.broken" External "The server stopped taking requests; the message says why.";
    "serve.folder" User "What is to be served is no folder: name the folder with the pipelines.";
    "serve.open" User "The address can be reached from other machines and there is no token: make one with `millwork token create`, or listen on 127.0.0.1.";
    "serve.running" User "Another server has the state open: stop it, or give this one another `--home`.";
    "service.starting" External "The service has just begun and still reads the pipelines: ask again in a moment; `GET /readyz` says when it is ready.";
    "shell.absent" Internal "Nothing is recorded of a command that ended.";
    "shell.config" User "The configuration of a `shell` step is wrong.";
    "shell.cwd" User "The working folder of a `shell` step is not there: `cwd` is taken from the pipeline's folder.";
    "shell.exit" External "A command ended with an exit code that is not one of `success_codes`. The message has the end of its standard error; `millwork runs logs RUN STEP` has all of it. `retry: {on_exit_codes: [75]}` tries again at some codes only.";
    "shell.guard" External "The guard that watches over commands did not start or was killed, perhaps for lack of memory.";
    "shell.no_guard" User "The program that the engine is part of does not say how commands are guarded.";
    "shell.not_found" User "There is no such program: look at its name and at PATH.";
    "shell.not_started" User "The program is there and cannot be started: look at its rights and its first line.";
    "shell.output" User "Standard output is not what `output:` and `type:` promise: the message has the place.";
    "shell.output_limit" User "A command printed more than `max_output`: raise it, or let the command write to a file.";
    "shell.signal" External "A signal ended the command: the kernel for lack of memory (9), or somebody.";
    "shell.survivor" External "A command of an earlier attempt still runs, so no second was begun beside it: end it, then resume.";
    "sql.internal" Internal "The query engine contradicts itself.";
    "sql.io" External "A query cannot read its tables or spill: look at the space and the rights of the home.";
    "sql.out_of_memory" User "A query needs more memory than it may use: raise `--memory` or `permissions: {limits: {memory: ..}}`, or filter earlier.";
    "sql.param" User "A parameter of a query is no single value and no list of them.";
    "sql.plan" User "The query is wrong: a table, a column or a function is not there, or types do not fit.";
    "sql.spill" External "A large result cannot be written: look at the space of the disk that the home is on.";
    "sql.stopped" Internal "A part of a query stopped.";
    "sql.table" Internal "A table cannot be handed to the query engine.";
    "sql.unsupported" User "The query uses something that the query engine does not know.";
    "sql.value" User "A value in a query cannot be computed or converted: guard a divisor with `nullif(b, 0)`; `try_cast` gives null in place of a fault.";
    "step.output" Internal "A kind of step gave other outputs than it promises.";
    "step.panic" Internal "A kind of step panicked.";
    "step.unknown" User "The run or the pipeline has no such step.";
    "store.broken" External "The state cannot be read or written: the message names the file and the cause, such as a full disk. `millwork doctor` looks at it.";
    "store.conflict" Internal "The recorded events of a run are not where they should be.";
    "store.newer" User "A newer Millwork has written the state: use that one, or another `--home`.";
    "store.no_run" User "There is no such run: `millwork runs list` shows those there are.";
    "store.not_owner" External "Another process has taken the run over; this one stopped.";
    "store.unknown" External "The state did not answer in time, because other processes kept it busy or the disk is slow: `millwork runs resume` goes on.";
    "table.changed" User "A file changed after the step that reads it had ended: `millwork runs rerun RUN --from STEP`, with that step, lets all steps see the same rows.";
    "table.column" User "A table has no such column, or one that cannot be read as asked.";
    "table.encode" Internal "Rows of a table could not be written as an Arrow stream.";
    "table.format" User "The format of a file is not known: say it with `format:`.";
    "table.glob" User "A path is no pattern of paths.";
    "table.missing" User "There is no such file, or none that the pattern matches: paths are taken from the pipeline's folder.";
    "table.not_a_file" User "The path is a folder: name its files, such as `data/**/*.parquet`.";
    "table.option" User "An option does not fit the format.";
    "table.parse" User "A file does not hold what its format and its columns say; the message has the place.";
    "table.partition" Internal "Rows cannot be split into partitions.";
    "table.read" Internal "Reading a table was stopped before its end.";
    "table.schema" User "A file does not have the columns that `schema:` says.";
    "table.stopped" Internal "Reading or writing a table was stopped halfway.";
    "table.unreadable" External "A file of a table cannot be read: look at its rights and its disk.";
    "table.unwritable" External "A table cannot be written: look at the rights and the space of the folder.";
    "table.write_type" User "A column has a type that the format cannot hold: cast it in SQL, or choose another format.";
    "taken" Internal "An attempt belonged to an earlier owner of the run; it is made again.";
    "test.csv" User "A stand-in or an expected table of `tests:` is not CSV that fits the table.";
    "test.folder" External "No temporary folder can be made for a test.";
    "test.table" Internal "A table of a test cannot be shown.";
    "timeout" External "An attempt took longer than the step's `timeout` and was stopped: raise it, or find out with `millwork runs logs` what it waited for.";
    "token.config" User "A token cannot be made like this: its name, role, pipelines, time or rate is wrong; the message says which.";
    "token.exists" User "A living token has that name: choose another name, or revoke that token first.";
    "token.none" User "There is no such token, or it is revoked: `millwork token list` shows those there are.";
    "token.text" Internal "The text of a new token contradicts itself, or was drawn twice.";
    "trigger.loop" User "Pipelines start one another in a circle that does not come to an end.";
    "trigger.none" User "The pipeline has no trigger of that number: it was changed meanwhile.";
    "type.mismatch" User "A value has another type than the one expected.";
    "value.missing" Internal "A value that an expression reads was not loaded.";
    "value.not_durable" Internal "A table in memory was recorded before it was kept.";
    "value.unreadable" Internal "A recorded value cannot be read.";
    "value.unwritable" Internal "A value cannot be recorded.";
    "wait.config" User "`wait` needs either `for` or `until`.";
    "workspace.unreadable" External "`millwork.yaml` cannot be read: look at its rights.";
}

#[cfg(test)]
mod tests {
    use super::FaultPage;

    #[test]
    fn codes_are_in_order_and_each_has_one_page() {
        assert!(FaultPage::ALL.is_sorted_by(|a, b| a.code < b.code), "sort the table by code");
        for page in FaultPage::ALL {
            assert_eq!(FaultPage::of(page.code), Some(page));
            assert!(
                page.text.ends_with('.') && page.code.bytes().all(|b| b.is_ascii_lowercase() || b"._".contains(&b))
            );
        }
        assert_eq!(FaultPage::of("shell"), None);
    }
}
