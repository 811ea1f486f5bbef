//! `on:`: what starts a pipeline. Checked here, served by `serve`.

use std::time::Duration;

use indexmap::IndexMap;

use super::{
    ContentForm, ContentTrigger, FileTrigger, Node, NodeKind, Overlap, ScheduleSpec, SignatureScheme, Spanned,
    TriggerSpec, UpstreamName, UpstreamStatus, UpstreamTrigger, WebhookTrigger,
    cx::{Cx, Fields},
    keys,
    read_pipeline::input_type,
};
use crate::{
    data::Type,
    diag::{Code, Diagnostic, Span},
    expr::Template,
    model::Name,
    schedule::{Calendar, Catchup, CronLine, DstGap, DstOverlap, FinishBy},
};

pub(super) fn triggers(cx: &mut Cx, node: &Node) -> Vec<Spanned<TriggerSpec>> {
    let mut out = Vec::new();
    if let Some(text) = node.text().filter(|t| &*t.value == "manual") {
        let _ = text;
        return vec![Spanned::new(TriggerSpec::Manual, node.span)];
    }
    let Some(fields) = cx.fields(node, keys::on()) else { return out };
    for (key, value) in fields.entries {
        if &*key.text == "manual" {
            if !matches!(value.kind, NodeKind::Null | NodeKind::Bool(true))
                && value.entries().is_none_or(|e| !e.is_empty())
            {
                cx.push(super::cx::shape(value, "`manual` has no settings".to_owned()).help("write `manual:` alone"));
            }
            out.push(Spanned::new(TriggerSpec::Manual, key.span));
            continue;
        }
        for item in cx.one_or_more(value) {
            let trigger = match &*key.text {
                "schedule" => schedule(cx, item).map(|s| TriggerSpec::Schedule(Box::new(s))),
                "webhook" => webhook(cx, item).map(TriggerSpec::Webhook),
                "file" => file(cx, item).map(TriggerSpec::File),
                "pipeline" => upstream(cx, item).map(TriggerSpec::Pipeline),
                "artifact" => content(cx, item, ContentForm::Artifact).map(TriggerSpec::Content),
                "table" => content(cx, item, ContentForm::Table).map(TriggerSpec::Content),
                _ => None,
            };
            out.extend(trigger.map(|t| Spanned::new(t, item.span)));
        }
    }
    out
}

fn inputs(cx: &mut Cx, fields: &Fields<'_>) -> IndexMap<Name, Spanned<Template>> {
    fields.get("inputs").map(|n| cx.templates(n, "`inputs`")).unwrap_or_default()
}

fn webhook(cx: &mut Cx, node: &Node) -> Option<WebhookTrigger> {
    let fields = cx.fields(node, &keys::WEBHOOK)?;
    let path_node = fields.get("path")?;
    let path = cx.string(path_node, "`path`")?;
    if !path.starts_with('/') {
        let problem = Diagnostic::new(Code::WrongShape, path_node.span, "the path of a webhook begins with `/`");
        cx.push(problem.suggest(format!("/{path}")));
    }
    let methods = [("POST", "POST"), ("PUT", "PUT"), ("GET", "GET")];
    let method = fields.get("method").and_then(|n| cx.choice(n, "`method`", &methods)).unwrap_or("POST");
    let secret = fields.get("secret").and_then(|n| cx.string(n, "`secret`"));
    let schemes = [("standard", SignatureScheme::Standard), ("github", SignatureScheme::Github)];
    let scheme = fields.get("scheme").and_then(|n| cx.choice(n, "`scheme`", &schemes)).unwrap_or_default();
    let window = fields.get("window").and_then(|n| cx.duration(n, "`window`")).unwrap_or(Duration::from_mins(5));
    let body = fields.get("body").and_then(|n| input_type(cx, n)).unwrap_or(Type::Any);
    let inputs = inputs(cx, &fields);
    if scheme == SignatureScheme::Github && method == "GET" {
        let span = fields.get("scheme").map_or(node.span, |n| n.span);
        let problem = Diagnostic::new(Code::ConflictingKeys, span, "GitHub signs bodies, and `GET` has none");
        cx.push(problem.help("leave out `method`, or take the scheme `standard`"));
    }
    Some(WebhookTrigger { path, method: method.to_owned(), secret, scheme, window, body, inputs })
}

fn file(cx: &mut Cx, node: &Node) -> Option<FileTrigger> {
    let fields = cx.fields(node, &keys::FILE)?;
    let mut paths = Vec::new();
    for item in cx.one_or_more(fields.get("path")?) {
        paths.extend(cx.string(item, "`path`").map(|p| Spanned::new(p, item.span)));
    }
    let settle = fields.get("settle").and_then(|n| cx.duration(n, "`settle`")).unwrap_or(Duration::from_secs(2));
    Some(FileTrigger { paths, settle, inputs: inputs(cx, &fields) })
}

fn upstream(cx: &mut Cx, node: &Node) -> Option<UpstreamTrigger> {
    use UpstreamStatus::{Any, Failed, Late, Succeeded};
    if node.text().is_some() {
        let name = upstream_name(cx, node)?;
        return Some(UpstreamTrigger { name, status: Succeeded, inputs: IndexMap::new() });
    }
    let fields = cx.fields(node, &keys::UPSTREAM)?;
    let name = upstream_name(cx, fields.get("name")?)?;
    let words = [("succeeded", Succeeded), ("failed", Failed), ("any", Any), ("late", Late)];
    let status = fields.get("status").and_then(|n| cx.choice(n, "`status`", &words)).unwrap_or(Succeeded);
    Some(UpstreamTrigger { name, status, inputs: inputs(cx, &fields) })
}

/// A name, or `*` for all pipelines.
fn upstream_name(cx: &mut Cx, node: &Node) -> Option<UpstreamName> {
    if node.text().is_some_and(|text| &*text.value == "*") {
        return Some(UpstreamName::Any);
    }
    cx.name(node, "a pipeline's name").map(UpstreamName::Named)
}

fn content(cx: &mut Cx, node: &Node, form: ContentForm) -> Option<ContentTrigger> {
    let (at, inputs) = if node.text().is_some() {
        (node, IndexMap::new())
    } else {
        let fields = cx.fields(node, &keys::CONTENT)?;
        (fields.get("of")?, inputs(cx, &fields))
    };
    let text = cx.string(at, "an output of another pipeline")?;
    let named = text.split_once('.').and_then(|(pipeline, output)| Some((Name::new(pipeline)?, Name::new(output)?)));
    let Some((pipeline, output)) = named else {
        let message = format!("`{text}` names no output of a pipeline");
        let help = "write PIPELINE.OUTPUT, such as `daily_sales.summary`: `summary` is one of its `outputs:`";
        cx.push(Diagnostic::new(Code::WrongShape, at.span, message).help(help));
        return None;
    };
    Some(ContentTrigger { form, pipeline, output, inputs })
}

fn schedule(cx: &mut Cx, node: &Node) -> Option<ScheduleSpec> {
    let fields = cx.fields(node, &keys::SCHEDULE)?;
    let timezone = fields.get("timezone").and_then(|n| zone(cx, n)).unwrap_or(chrono_tz::UTC);
    let catchup = catchup(cx, &fields);
    let overlaps =
        [("skip", Overlap::Skip), ("queue", Overlap::Queue), ("cancel", Overlap::Cancel), ("allow", Overlap::Allow)];
    let overlap = fields.get("overlap").and_then(|n| cx.choice(n, "`overlap`", &overlaps)).unwrap_or_default();
    let jitter = fields.get("jitter").and_then(|n| cx.duration(n, "`jitter`"));
    let (mut gap, mut both) = (DstGap::default(), DstOverlap::default());
    if let Some(dst) = fields.get("dst").and_then(|n| cx.fields(n, &keys::DST)) {
        let gaps = [("run_after", DstGap::RunAfter), ("skip", DstGap::Skip)];
        gap = dst.get("gap").and_then(|n| cx.choice(n, "`gap`", &gaps)).unwrap_or_default();
        let folds = [("once", DstOverlap::Once), ("twice", DstOverlap::Twice)];
        both = dst.get("overlap").and_then(|n| cx.choice(n, "`overlap`", &folds)).unwrap_or_default();
    }
    let finish_by = fields.get("finish_by").and_then(|n| finish_by(cx, n));
    let inputs = inputs(cx, &fields);
    let at = fields.get("cron")?;
    let text = cx.string(at, "`cron`")?;
    let decided = fields.get("dst").is_some();
    let cron = cron_line(cx, &text, at.span, (!decided).then_some(timezone))?;
    let calendar = Calendar { cron, zone: timezone, gap, overlap: both };
    Some(ScheduleSpec { calendar, catchup, overlap, jitter, finish_by, inputs })
}

fn finish_by(cx: &mut Cx, node: &Node) -> Option<FinishBy> {
    let text = cx.string(node, "`finish_by`")?;
    match FinishBy::parse(&text) {
        Ok(by) => Some(by),
        Err(why) => {
            cx.push(Diagnostic::new(Code::WrongShape, node.span, format!("`finish_by` cannot be read: {why}")));
            None
        }
    }
}

fn catchup(cx: &mut Cx, fields: &Fields<'_>) -> Catchup {
    let limit = fields.get("catchup_limit");
    let most = limit.and_then(|n| cx.int(n, "`catchup_limit`", 1)).unwrap_or(Catchup::DEFAULT_LIMIT);
    let words = [("none", Catchup::None), ("latest", Catchup::Latest), ("all", Catchup::All { limit: most })];
    let catchup = fields.get("catchup").and_then(|n| cx.choice(n, "`catchup`", &words)).unwrap_or_default();
    if let Some(limit) = limit.filter(|_| !matches!(catchup, Catchup::All { .. })) {
        let problem = Diagnostic::new(Code::WrongShape, limit.span, "`catchup_limit` goes with `catchup: all` only");
        cx.push(problem.help("write `catchup: all`, or leave the limit out"));
    }
    catchup
}

fn zone(cx: &mut Cx, node: &Node) -> Option<chrono_tz::Tz> {
    let text = cx.string(node, "`timezone`")?;
    let found = text.parse().ok();
    if found.is_none() {
        let problem = Diagnostic::new(Code::BadZone, node.span, format!("there is no time zone `{text}`"))
            .help("IANA names such as `Europe/Berlin`, `Asia/Ho_Chi_Minh` or `UTC`");
        cx.push(problem.did_you_mean(&text, chrono_tz::TZ_VARIANTS.iter().map(|z| z.name())));
    }
    found
}

/// Reads a cron expression; `clock` is the zone to warn about, if any.
fn cron_line(cx: &mut Cx, text: &str, span: Span, clock: Option<chrono_tz::Tz>) -> Option<CronLine> {
    let line = match CronLine::parse(text) {
        Ok(line) => line,
        Err(why) => {
            let problem =
                Diagnostic::new(Code::BadCron, span, format!("the cron expression `{text}` cannot be read: {why}"))
                    .help("minute, hour, day of month, month, day of week: `0 2 * * *` is every day at 02:00");
            // Six fields are seconds first in other tools.
            let fields: Vec<_> = text.split_whitespace().collect();
            let seconds_first = fields.len() == 6 && fields[0] == "0";
            let shorter = seconds_first.then(|| format!("\"{}\"", fields[1..].join(" ")));
            cx.push(match shorter {
                Some(shorter) => problem.suggest(shorter),
                None => problem,
            });
            return None;
        }
    };
    let Some([_, hour, day, _, weekday]) = line.fields() else { return Some(line) };
    if day != "*" && day != "?" && weekday != "*" && weekday != "?" {
        let message = format!("`{day}` and `{weekday}` both choose days, and either is enough");
        let help = if day.starts_with('*') || weekday.starts_with('*') {
            "`*/n` counts as given; leave one of the two `*`, or make two schedules"
        } else {
            "leave one of the two `*`, or make two schedules if both are meant"
        };
        cx.push(Diagnostic::new(Code::CronBothDays, span, message).help(help));
    }
    let in_change = !line.is_by_the_hour() && hour.split(',').any(names_an_early_hour);
    if let Some(zone) = clock.filter(|z| in_change && changes_clock(*z)) {
        let problem = Diagnostic::new(Code::CronDst, span, format!("clocks in {zone} change between 01:00 and 03:00"));
        cx.push(
            problem.help("say what happens then with `dst: {gap: run_after, overlap: once}`, or choose another hour"),
        );
    }
    Some(line)
}

/// Whether an element of the field of hours holds 1 or 2.
fn names_an_early_hour(element: &str) -> bool {
    let (range, step) = element.split_once('/').unwrap_or((element, "1"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (Ok(first), Ok(last), Ok(step)) = (first.parse::<u32>(), last.parse::<u32>(), step.parse::<usize>()) else {
        return false;
    };
    (first..=last.min(23)).step_by(step.max(1)).any(|hour| hour == 1 || hour == 2)
}

/// Whether the zone has had two offsets in recent years, by its own rules.
fn changes_clock(zone: chrono_tz::Tz) -> bool {
    use chrono::{Offset, TimeZone};
    let offset =
        |month| zone.with_ymd_and_hms(2026, month, 15, 12, 0, 0).earliest().map(|t| t.offset().fix().local_minus_utc());
    offset(1) != offset(7)
}
