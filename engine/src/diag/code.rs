use std::fmt;

use super::Severity;

/// The page that `millwork explain CODE` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// What the problem is, in a line.
    pub title: &'static str,
    /// Why it is one, an example, and the remedy.
    pub text: &'static str,
}

macro_rules! codes {
    ($($name:ident = $code:literal $severity:ident $title:literal $text:literal;)*) => {
        /// A stable name for a kind of problem: never reused, never renumbered.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code as printed, such as `P0004`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)* }
            }

            /// The severity that diagnostics with this code have.
            pub fn severity(self) -> Severity {
                match self { $(Code::$name => Severity::$severity,)* }
            }

            /// The code's page.
            pub fn page(self) -> Page {
                match self { $(Code::$name => Page { title: $title, text: $text },)* }
            }
        }
    };
}

// P: the file. E: expressions. T: types and tables. G: the graph. L: lints.
codes! {
    YamlSyntax = "P0001" Error "the file is not YAML"
        "The text breaks YAML's grammar, so nothing in it can be read. The message names the first place where reading stopped; the mistake is there or on the line before.\n\nCommon causes: a tab used for indentation, a missing colon or space after it, an unclosed quote or bracket, or text that is not UTF-8.";
    YamlBudget = "P0002" Error "the file is larger or deeper than a pipeline may be"
        "Reading stops at 64 MiB of text, 64 levels of nesting, and at a bounded number of values, aliases and expanded bytes, so that no file can exhaust memory. Split the pipeline, or move data out of it into files that steps read.";
    DuplicateKey = "P0003" Error "a key is given twice"
        "A mapping holds each key once. YAML readers differ in which of two equal keys wins, so neither is taken. Remove one.";
    UnknownKey = "P0004" Error "a key that means nothing here"
        "Unknown keys are errors, so that a misspelt `retry` cannot be ignored silently. Keys that begin with `x-` are free for your own use, at the top level, for example to hold anchors.";
    MissingKey = "P0005" Error "a required key is missing"
        "The mapping needs the key named in the message.";
    WrongShape = "P0006" Error "a value has the wrong shape"
        "The key takes another kind of value, for example a list where a mapping stands. The message names what is expected and what was found.";
    UnknownAnchor = "P0007" Error "an alias without its anchor"
        "`*name` stands for the value that `&name` marked earlier in the same file, and there is none.\n\n  x-base: &base {timeout: 5m}\n  steps:\n    - {id: a, uses: wait, <<: *base}\n\nWrite the anchor before its use, or quote a text that begins with `*`.";
    YamlTag = "P0008" Error "a YAML tag that means nothing here"
        "Only the core tags (`!!str`, `!!int`, `!!float`, `!!bool`, `!!null`) are read. A text that begins with `!` is a tag to YAML, so it needs quotes: `pattern: \"!*.tmp\"`.";
    NumberRange = "P0009" Error "a number out of range"
        "Integers have 64 bits, and some keys take a smaller range: `max_attempts` and `max_parallel` begin at 1, `min_success` lies from 0 to 1. An identifier that only looks like a number needs quotes: `account: \"99999999999999999999\"`.";
    UnquotedExpression = "P0010" Error "an expression that YAML reads in another way"
        "Braces inside `{}` or `[]`, ` #` and `: ` have a meaning in YAML, so an expression that meets them needs quotes around the whole value.\n\n  wrong: with: {n: ${{ inputs.n }}}\n  right: with: {n: \"${{ inputs.n }}\"}\n\nQuotes do not change the type: a text that is wholly one `${{ }}` keeps the type of its expression.";
    BadName = "P0011" Error "a name that is none"
        "Ids of steps and names of inputs and outputs are lower-case letters, digits and `_`, and begin with a letter: `[a-z][a-z0-9_]*`. A hyphen would be a minus in expressions.\n\n  wrong: id: load-flights\n  right: id: load_flights";
    DuplicateId = "P0012" Error "two steps have the same id"
        "An id names one step of the whole pipeline, those of `on_failure`, `finally` and bodies included, because `steps.ID` in an expression means exactly one. Rename one of them and what refers to it.";
    BadUnit = "P0013" Error "a number without its unit"
        "A bare number could be seconds or milliseconds, bytes or kilobytes, so durations and sizes carry a unit.\n\n  timeout: 90s     also 10m, 1h30m, PT10M\n  memory: 6GiB     also 512MiB, 10MB\n  tokens: 500k     a bare count is fine: 250";
    BadChoice = "P0014" Error "a value that is not among the choices"
        "The key takes one of a few words, which the message names.\n\n  overlap: skip      # skip | queue | cancel | allow";
    BadVersion = "P0015" Error "a version of the language that is not known"
        "Every pipeline begins with `version: 1`, so that a later version of the language can change a meaning without changing what an old file does.";
    BadType = "P0016" Error "a type that cannot be read"
        "Types are any, null, bool, int, float, string, bytes, date, timestamp, duration, list<T>, map<T>, object{a: T}, table<..> and file; `T?` may be null.\n\n  inputs:\n    airports: {type: list<string>, default: [EWR, JFK]}";
    BadCron = "P0017" Error "a cron expression that cannot be read"
        "Five fields: minute, hour, day of month, month, day of week; 0 and 7 are Sunday. Names, ranges, lists, steps, `L W #` and `@hourly @daily @weekly @monthly @yearly` are understood.\n\n  cron: \"0 2 * * *\"       # every day at 02:00\n  cron: \"*/15 9-17 * * 1-5\"";
    BadZone = "P0018" Error "a time zone that is not known"
        "Zones have IANA names, such as `Europe/Berlin`, `Asia/Ho_Chi_Minh` or `UTC`. Abbreviations such as `CET` or `EST` do not say when clocks change.";
    ConflictingKeys = "P0019" Error "two keys that exclude each other"
        "The message names both. A step has either one kind (`uses:`) or a body (`steps:`); `max_parallel`, `key`, `batch` and `min_success` belong to `for_each`; `for_each` and `repeat` do not go together in one step: put the `repeat` into a body.";
    NotUtf8 = "P0020" Error "the file is not UTF-8"
        "Pipelines are UTF-8 text. The message names the first byte that is not. Save the file as UTF-8 in your editor, or convert it: `iconv -f latin1 -t utf-8 old.yaml > new.yaml`.";
    OnIsTrue = "P0021" Error "`true:` stands where `on:` is meant"
        "Tools that follow YAML 1.1 write the key `on` as `true`. Here it is the word `on`.\n\n  on:\n    schedule: [{cron: \"@daily\"}]";
    EmptyPipeline = "P0022" Error "there is nothing in it"
        "A file without content, a pipeline without steps, or a body without steps does nothing. The least pipeline:\n\n  version: 1\n  name: hello\n  steps:\n    - {id: hi, uses: shell, with: {command: [echo, hi]}}";
    BadHost = "P0023" Error "a permission that cannot be read"
        "`http` lists hosts, without scheme and path: `api.example.com`, `*.example.com`, `localhost:8080`. `files` lists paths relative to the pipeline, with `:rw` behind those that may be written. `env` and `secrets` list names.";
    PlainSecret = "P0024" Error "a secret stands in the file"
        "Files are copied, shared and kept in version control, so they name secrets and never hold them.\n\n  wrong: password: hunter2\n  right: password: \"${{ secrets.DB_PASSWORD }}\"\n\nGive the value through the environment or a file that `secrets:` of millwork.yaml names.";
    CronBothDays = "P0030" Warning "day of month and day of week are both given"
        "When both are given, cron runs on days that match either: `0 0 13 * 5` runs on each 13th and on each Friday. `*/2` counts as given. Leave one of them `*`, or make two schedules if that is what you mean.";
    CronDst = "P0031" Warning "a schedule in the hours that clocks change"
        "Between 01:00 and 03:00 local time an hour is missing on one day of the year and comes twice on another. A schedule there runs once on both days by default: after the gap, and in the first of the two hours. Say so with `dst: {gap: run_after, overlap: once}`, choose `gap: skip` or `overlap: twice`, or move it: `cron: \"30 3 * * *\"`.";

    ExprSyntax = "E0001" Error "an expression breaks the grammar"
        "The text inside `${{ }}`, or the bare text of an `if`, is not an expression. The message names what was expected at the first place where reading stopped.\n\nExample: `inputs.n >` ends where a value is expected.\n\nOperators, from the loosest: `? :`, `||`, `&&`, comparisons and `in`, `??`, `+ -`, `* / %`, `! -`. Comparisons cannot be chained: write `a < b && b < c`. Values have no methods: write `startsWith(x, 'a')`.";
    ExprUnclosed = "E0002" Error "`${{` is not closed, or stands where an expression is expected"
        "Every `${{` needs its `}}` in the same value. YAML often cuts a value short: ` #` begins a comment, `: ` a mapping, and an unquoted `{` or `[` at the start of a value is YAML's own.\n\nExample: `n: ${{ inputs.a # b }}` loses everything after `a`.\n\nPut the whole value in quotes: `n: \"${{ inputs.a }}\"`. For the text `${{` itself, write `$${{`.\n\n`if`, `until` and `for_each` take one expression, with or without `${{ }}` around all of it, and no text beside it.";
    ExprTooLarge = "E0003" Error "an expression is too long or too deep"
        "An expression has at most 64 KiB and nests at most 64 brackets, calls and signs. Compute parts of it in steps and refer to their outputs.";
    ExprLiteral = "E0004" Error "a number or text in an expression cannot be read"
        "Text stands in single or double quotes. A backslash begins an escape: `\\n \\t \\r \\\\ \\' \\\" \\u{e9}`; in `r'..'` it means nothing, which suits patterns: `matches(x, r'^\\d+$')`. In single quotes, two quotes stand for one.\n\nAn int has 64 bits. A number with a unit is text for a function: `duration('10m')`.";
    ExprForeign = "E0005" Error "a word or sign of another language"
        "The message names what is written here. `and`, `or`, `not` are `&&`, `||`, `!`; `=` and `===` are `==`; `None` and `nil` are `null`; there are no filters (`x | upper`): write `upper(x)`.";
    UnknownName = "E0006" Error "a name that means nothing in an expression"
        "Values begin with `inputs`, `steps`, `secrets`, `item`, `item_index`, `item_key`, `outputs`, `state`, `run` or `event`. Anything else is a function, which is followed by parentheses, or text, which stands in quotes.\n\nExample: `inputs.mode == fast` should be `inputs.mode == 'fast'`.";
    BadReference = "E0007" Error "a reference is not complete or not of the right form"
        "A step's outputs are `steps.ID.outputs.NAME`; beside `outputs` stand `status`, `error`, `items` and `attempts`. Names are made of a-z, 0-9 and _. What an expression refers to must be known before the run, so the name cannot be computed.\n\nExample: `steps.load.table` should be `steps.load.outputs.table`.";
    HyphenInName = "E0008" Error "a hyphen in a name"
        "In an expression a hyphen means minus, so ids and names have `_` instead: `steps.my_step.outputs.n`. Rename the step or the input.";
    UnknownFunction = "E0009" Error "there is no such function"
        "The functions are listed in the documentation; names follow GitHub's where it has them (`contains`, `startsWith`, `format`, `join`, `toJSON`, `fromJSON`).";
    ArgumentCount = "E0010" Error "a function is called with too few or too many arguments"
        "The help line shows how the function is called. `= ..` marks an argument that may be left out, `...` one that may be repeated.";
    BadArgument = "E0011" Error "a function cannot take this argument"
        "The argument's type is not one that the function takes, or a literal argument (a pattern, a date, a format, a time zone) cannot be read. The help line shows how the function is called.\n\nExample: `lower(5)` needs text: `lower(string(5))`.";
    OperandTypes = "E0012" Error "an operator cannot join values of these types"
        "Numbers go with numbers (an int with a float gives a float), text with text, lists with lists, dates and timestamps with durations. Values of different types cannot be compared, because the answer would always be the same.\n\nExample: `inputs.day > '2024-01-01'` compares a date with text: write `date('2024-01-01')`.";
    MayBeNull = "E0013" Error "a value may be null where null has no place"
        "A type with `?` has null among its values: outputs of a step with a condition, inputs without a default, elements that may be missing.\n\nGive a value in its place: `x ?? 0`. Or test it first: `x != null && x > 3`, `x != null ? x : y`. `a?.b` is null if `a` is.";
    WrongType = "E0014" Error "a value has another type than is needed here"
        "The message names both types. A condition is a bool: there is no truthiness, so write `length(list) > 0` or `text != ''`. Functions convert: `string(x)`, `int(x)`, `float(x)`, `date(x)`, `timestamp(x)`, `duration(x)`.";
    UnknownField = "E0015" Error "a value has no such field"
        "The fields of the value's type are in the help line. A table has `rows` and `columns`, a file has `path`, `bytes` and `media_type`. Elements of a list are `list[0]`; parts of a date are `year(x)`, `month(x)` and so on.";
    StatusOutsideCondition = "E0016" Error "a status function outside a condition"
        "`success()`, `failure()`, `always()` and `failed('x')` decide whether a step runs, so only `if` may call them. Elsewhere, `steps.ID.status` tells how a step ended.";
    NotText = "E0017" Error "a value that has no form as text stands in text"
        "Around `${{ }}`, values become text. A table or bytes cannot: give a table in a field that is wholly one `${{ }}`, and make text of bytes with `string(..)` or `base64(..)`.";
    NeverNull = "E0018" Warning "a test for null that always comes out the same"
        "The value is never null, so `??` after it is never used, or the comparison is always true or always false. Leave it out.";
    BranchTypes = "E0019" Error "alternatives have different types"
        "`c ? a : b` and `a ?? b` give one value of one type, so both alternatives must have it. Convert one of them, for example `string(n) `.\n\n`??` binds tighter than comparisons and looser than `+`: `n ?? 0 > 3` asks whether `n ?? 0` is greater than 3.";
    UnknownReference = "E0020" Error "a reference to something that does not exist"
        "There is no step, output, input, secret or item of that name where the expression stands. The message lists what there is, or the name that was probably meant.";

    EdgeType = "T0001" Error "a value has another type than is needed here"
        "Every value between steps has a type, and the place that uses it asks for one. The message names both.\n\nExample: `with: {limit: \"${{ steps.count.outputs.name }}\"}` where `limit` takes an int and `name` is a string.\n\nRemedy: refer to another output, or convert the value with `int(..)`, `float(..)`, `string(..)`, `date(..)` and the like.";
    MaybeMissing = "T0002" Error "a value that may be missing is used where one is needed"
        "Outputs of a step with an `if`, of one with `continue_on_error`, and of any step seen from `on_failure` or `finally`, may be missing: their type ends in `?`.\n\nRemedy: give a value to fall back on, `${{ steps.x.outputs.y ?? 0 }}`, or put the same `if` on the step that reads, alone or joined with `&&`: then it runs only when the value is there.";
    NotBool = "T0003" Error "a condition is not a boolean"
        "`if` and `until` take a boolean; nothing else counts as true or false.\n\nExample: `if: steps.rows.outputs.count` is an int.\n\nRemedy: compare it, `if: steps.rows.outputs.count > 0`.";
    BadLiteral = "T0004" Error "a literal is not of the type needed here"
        "The field takes a value of a certain type, and what is written cannot be read as one. Dates are written `2013-07-04`, timestamps `2013-07-04T12:00:00Z`, durations `90s`, `10m` or `1h30m`, sizes `6GiB`; a bare number where a unit belongs is an error, because nobody can tell seconds from minutes.";
    ExpressionNotAllowed = "T0005" Error "an expression where only a literal value may stand"
        "The field must be known before the run, so it takes no `${{ }}`. In SQL, values go into `params`; in commands, into arguments and `env`. `millwork steps NAME` lists the fields that take expressions.";
    SecretNotAllowed = "T0006" Error "a secret is used where none may be"
        "`secrets.NAME` is opened only inside an attempt, and only in `env` and in the fields that a kind marks for secrets, so that its text reaches no log, cache or output.\n\nRemedy: pass it through `env`, or use the field that the kind has for it.";
    NotIterable = "T0007" Error "`for_each` needs a list, a map or a table"
        "Items come from the elements of a list, the entries of a map or object, or the rows of a table.\n\nExample: `for_each: ${{ inputs.airports }}` where the input has the type `list<string>`.";
    NoSingleTable = "T0008" Error "the step has no table, or more than one, to be read by its name"
        "A step's id stands for its only output that is a table. Where there is none or more than one, name the output: `tables: {t: \"${{ steps.x.outputs.table }}\"}`.";
    OutputUnknown = "T0009" Error "a step has no output of this name"
        "The message lists the outputs that it has; `millwork steps NAME` describes those of a kind.";
    UnknownKind = "G0001" Error "`uses` names a kind that does not exist"
        "The kind is not registered in this program. `millwork steps` lists all kinds.";
    UnknownStep = "G0002" Error "a step is named that does not exist here"
        "`needs`, `failed('x')`, SQL and `tests` name steps by their `id`. Steps inside the body of a fan-out are seen only inside that body; steps of `on_failure` and `finally` only in their own section.";
    Cycle = "G0003" Error "steps need each other in a circle"
        "A step starts when all it needs has ended, so none of a circle could ever start. The message gives the way around, and each place that makes a part of it is marked.\n\nRemedy: remove one of the references or `needs`; to do something again and again, use `repeat`.";
    IncludeFailed = "G0005" Error "an included file cannot be read"
        "A step includes a file whose text is frozen into the run, and the file is not there or is not text. Paths start from the folder of the pipeline.";
    Recursion = "G0006" Error "a pipeline includes itself"
        "A sub-pipeline that includes one of the pipelines around it would never end. The message gives the way around. To do something again and again, use `repeat` or `for_each`.";
    PersistNever = "G0007" Error "`persist: never` on a step with an effect"
        "An output that is not kept is computed again after a crash, and only a step without effects may run again unseen. Remove `persist: never`, or keep to kinds that `millwork steps` calls pure.";
    CacheEffect = "G0008" Error "`cache: true` on a step with an effect"
        "A cached result stands in for running the step, so its effect would not happen. Only pure kinds may be cached.";
    NestedFanOut = "G0009" Error "a step inside a body fans out or repeats"
        "A body runs its steps in order, once an item. Put what must fan out again into a pipeline of its own, and use it with `uses: pipeline`.";
    ItemAsks = "G0010" Error "a step inside `for_each` waits for a person"
        "A step that waits for an answer parks, and items of a fan-out cannot park one by one: nobody could tell which of a thousand questions is meant.\n\nRemedy: ask once, in a step before the fan-out or after it. Waits for a time and for sub-pipelines may stand inside `for_each`.";
    NotAllowed = "G0011" Error "the workspace does not allow it"
        "`millwork.yaml` may limit what its pipelines use: `allow_steps` lists kinds of steps, `permissions` is the most that a pipeline may be granted.\n\n  allow_steps: [table.read, sql, table.write]\n  permissions: {files: [data, \"out:rw\"], secrets: [DB_PASSWORD]}\n\nRemedy: use what is allowed, or have the workspace allow more.";
    TriggerSelf = "G0012" Error "a pipeline that starts itself"
        "A run whose end starts the same pipeline again never comes to an end. A step that is to be tried again has `retry:`; what is to be repeated has a schedule; what comes after a failure stands in `on_failure:`. `status: late` may name the pipeline itself.";
    NeverRuns = "L0001" Warning "a step that can never run"
        "Its condition is false whatever happens: it is constant, contradicts itself, or asks for the failure of steps when it needs none. A branch that looks alive and is dead hides a mistake.\n\nRemedy: mend the condition, or remove the step.";
    AlwaysTrue = "L0002" Warning "a condition that is always true"
        "The `if` is constant, so it decides nothing; yet outputs of a step with an `if` count as possibly missing. Remove it.";
    Unordered = "L0003" Warning "two steps with effects in no order"
        "Both change something outside, neither needs the other, and the order of the list means nothing: they may run in either order, or at once.\n\nRemedy: `needs:` if the order matters, `order: sequence` for the whole pipeline, or leave it if they are independent.";
    UnusedInput = "L0004" Warning "an input that nothing reads"
        "No expression refers to `inputs.NAME`. Remove the input, or use it.";
    UnusedSecret = "L0005" Warning "a secret that nothing reads"
        "No expression refers to `secrets.NAME`. Remove it, so that the pipeline asks for no more than it needs.";
    TriggerUnknown = "L0006" Warning "a trigger on something that is not here"
        "`on.pipeline`, `on.table` and `on.artifact` name another pipeline that is served from the same folder, and the last two one of its `outputs:`. What is not there never ends and never changes, so that the trigger starts nothing.";
    TriggerLoop = "L0007" Warning "pipelines that start one another in a circle"
        "The end of each of these pipelines starts the next, and the end of the last starts the first, again and again. A circle by `on.table` or `on.artifact` ends when nothing changes any more, one by `on.pipeline` with different statuses may end; after a hundred runs that led to one another the next one is refused (`trigger.loop`).";

    SqlSyntax = "T0101" Error "the query is not SQL"
        "The text of a `sql` step breaks the grammar. The message says what was expected and what was found there; often the mistake stands just before: a missing comma, a keyword used as a name (quote it: \"order\"), an unclosed bracket.";
    SqlTable = "T0102" Error "a query reads a table that does not exist"
        "A name after `from` or `join` is, in this order: a CTE of the same query, a name in `tables:`, or the id of a step that has just one table output. Example: `tables: {f: \"${{ steps.flights.outputs.table }}\"}` makes `f` known. Names of steps are lower case.";
    SqlColumn = "T0103" Error "a query names a column that is not there, or not only once"
        "Queries are planned against the columns of the tables they read before anything runs. Column names keep the spelling of the data, so `Carrier` and `carrier` differ; a name with other signs than letters, digits and `_` stands in double quotes. Where two tables have the column, say which: `f.carrier`. Two columns of a result need two names: use `as`.";
    SqlType = "T0104" Error "types in a query do not fit"
        "A function, an operator or a comparison got types that it does not take. Convert with `cast(x as bigint)`, or `try_cast`, which gives null where the text is not a number.";
    SqlTemplate = "T0105" Error "an expression inside a query"
        "Values never become part of a query's text, so that no value can change what it does. Use a bind parameter: write `where origin = $origin` and `params: {origin: \"${{ item }}\"}`. A table is named in `tables:`.";
    SqlParam = "T0106" Error "a parameter without a value, or a value without a parameter"
        "Each `$name` in a query takes its value from the entry of the same name in `params:`, and each entry is used. Example: `query: select * from t where day = $day` with `params: {day: \"${{ inputs.day }}\"}`.";
    SqlFunction = "T0107" Error "a query calls a function that does not exist"
        "The functions are those of Apache DataFusion, which follow PostgreSQL's where they can. The suggestion is the nearest name.";
    SqlStatement = "T0108" Error "a `sql` step holds something other than one query"
        "A `sql` step is one `select`, perhaps with CTEs before it. Its result is a table; `table.write` writes it. Statements that create, insert or change have no place in it, and neither have several statements.";
    TableSchema = "T0109" Error "a table is not as its `schema:` says"
        "`schema:` is a promise about columns: `schema: {carrier: string, arr_delay: float}`. The types are those of the pipeline language. If the file can be read at check, it must have these columns. Mend the schema or the file.";
    TableOption = "T0110" Error "an option of a table step cannot be used like this"
        "The message says which option, why, and what to write instead.";
    NotPermitted = "T0111" Error "outside of what `permissions:` allows"
        "`permissions:` lists what the steps of a pipeline may reach: `files` and `secrets`. A file, or a folder with all below it, or a pattern may be read; with `:rw` it may be written as well. Where a list is left out, built-in steps may reach what the user may. A step's own `permissions:` narrows its pipeline's and never widens it.\n\n  permissions: {files: [data, \"out:rw\"], secrets: [DB_PASSWORD]}\n\nPaths that are computed are looked at in the run, links followed: the fault is `permissions.files`. A `shell` command is a program of its own and not held by `files`; `env` names variables of Millwork's environment that it is given.\n\nRemedy: add the path or the secret to the list, or use one that is in it.";
    ExpectColumn = "T0112" Error "a check names a column that the table does not have"
        "`table.check` looks at columns of its table; they are compared before the run. Names keep the spelling of the data.";
    ReportTemplate = "T0113" Error "a report's template cannot be read"
        "Templates are written in minijinja's language, which is Jinja's. The message names the line. Names that the template uses are those under `data:`.";
}

impl Code {
    /// Finds a code by its printed form, ignoring case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.as_str().eq_ignore_ascii_case(text.trim()))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique_and_has_a_page() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code} is used twice");
            assert_eq!(Code::parse(&code.as_str().to_lowercase()), Some(*code));
            assert!(code.page().text.len() > code.page().title.len() / 2, "{code} has an empty page");
        }
    }
}
