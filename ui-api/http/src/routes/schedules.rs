//! Schedules: lists, times, pausing.

use axum::{Json, extract::State};
use chrono::{DateTime, SecondsFormat, Utc};
use millwork_engine::{
    model::Timestamp,
    schedule::{Calendar, Falls},
    schedules,
};
use millwork_service::{audit::Action, ticker::ScheduleView};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::pipeline;
use crate::{
    app::App,
    guard::{Caller, Needs, Operate, Read},
    page::Page,
    problem::{Answer, Path, Problem, Query, Refusals},
    views::{ScheduleOut, TickView, time},
};

/// Schedules of all pipelines.
#[utoipa::path(get, path = "/schedules", tag = "schedules", responses((status = 200, body = Page<ScheduleOut>), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn all(State(app): State<App>, caller: Caller<Read>) -> Answer<Json<Page<ScheduleOut>>> {
    super::loaded(&app)?;
    let now = app.service().now();
    let all = app.service().ticker().schedules().await;
    let seen = all.iter().filter(|view| caller.sees(&view.pipeline)).map(|view| ScheduleOut::new(view, now));
    Ok(Json(Page::whole(seen.collect())))
}

/// Schedules of a pipeline.
#[utoipa::path(get, path = "/pipelines/{name}/schedules", tag = "schedules", params(("name" = String, Path, description = "the pipeline")), responses((status = 200, body = Page<ScheduleOut>), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn of_pipeline(
    State(app): State<App>,
    caller: Caller<Read>,
    Path(name): Path<String>,
) -> Answer<Json<Page<ScheduleOut>>> {
    pipeline(&app, &caller, &name)?;
    let now = app.service().now();
    let all = app.service().ticker().schedules().await;
    let own = all.iter().filter(|view| view.pipeline == name).map(|view| ScheduleOut::new(view, now));
    Ok(Json(Page::whole(own.collect())))
}

/// Which times.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Span {
    /// Not before; now unless given.
    from: Option<DateTime<Utc>>,
    /// Before; a month after `from` unless given.
    to: Option<DateTime<Utc>>,
    /// How many at most, 1 to 5,000; 1,000 unless given.
    #[param(minimum = 1, maximum = 5000)]
    limit: Option<usize>,
}

async fn one<N: Needs>(app: &App, caller: &Caller<N>, name: &str, index: u32) -> Answer<ScheduleView> {
    let entry = pipeline(app, caller, name)?;
    let all = app.service().ticker().schedules().await;
    let found = all.into_iter().find(|view| view.pipeline == name && view.schedule == index);
    // One that was read a moment ago is not seen to yet.
    let is_new = entry.spec().is_some_and(|spec| schedules(spec).count() > index as usize);
    found.ok_or_else(|| {
        if is_new { millwork_service::starting().into() } else { Problem::missing("schedule", &index.to_string()) }
    })
}

/// Times of a schedule.
#[utoipa::path(get, path = "/pipelines/{name}/schedules/{index}/ticks", tag = "schedules", params(("name" = String, Path, description = "the pipeline"), ("index" = u32, Path, description = "which, from 0"), Span), responses((status = 200, body = Page<TickView>), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn ticks(
    State(app): State<App>,
    caller: Caller<Read>,
    Path((name, index)): Path<(String, u32)>,
    Query(span): Query<Span>,
) -> Answer<Json<Page<TickView>>> {
    let view = one(&app, &caller, &name, index).await?;
    let from = span.from.map_or_else(|| app.service().now(), Timestamp::from);
    let to = span.to.map_or_else(|| from.after(std::time::Duration::from_hours(31 * 24)), Timestamp::from);
    let calendar = &view.spec.calendar;
    let limit = span.limit.unwrap_or(1000).clamp(1, 5000);
    // A moment that is `from` itself is one of them.
    let before = Timestamp::from_micros(from.as_micros() - 1);
    let times = calendar.ticks(before).take_while(|at| *at < to).take(limit);
    let views = times.map(|at| {
        let local = at.to_datetime().with_timezone(&calendar.zone);
        let shown = local.to_rfc3339_opts(SecondsFormat::Secs, false);
        TickView { at: time(at), local: shown, odd: odd(calendar, at) }
    });
    Ok(Json(Page::whole(views.collect())))
}

/// Whether clocks change where a moment comes from: it was moved out of a gap, or its time is shown twice.
fn odd(calendar: &Calendar, at: Timestamp) -> Option<&'static str> {
    if calendar.cron.is_by_the_hour() {
        return None;
    }
    let local = at.to_datetime().with_timezone(&calendar.zone).naive_local();
    // Clocks skip less than a day's quarter.
    let near = calendar.occurrences(local - chrono::TimeDelta::hours(6)).take_while(|found| found.local <= local);
    let falls = near.map(|found| found.falls).find(|falls| falls.moments().any(|moment| moment == at));
    match falls? {
        Falls::Moved(_) => Some("gap"),
        Falls::First(_) | Falls::Twice(..) => Some("overlap"),
        Falls::Once(_) | Falls::Nowhere => None,
    }
}

/// Pauses a schedule: its times pass without runs.
#[utoipa::path(post, path = "/pipelines/{name}/schedules/{index}/pause", tag = "schedules", params(("name" = String, Path, description = "the pipeline"), ("index" = u32, Path, description = "which, from 0")), responses((status = 200, body = ScheduleOut), Refusals), security(("token" = ["operator"])))]
pub(crate) async fn pause(
    State(app): State<App>,
    caller: Caller<Operate>,
    Path((name, index)): Path<(String, u32)>,
) -> Answer<Json<ScheduleOut>> {
    set(&app, &caller, &name, index, true).await
}

/// Lets a paused schedule go on from now.
#[utoipa::path(post, path = "/pipelines/{name}/schedules/{index}/resume", tag = "schedules", params(("name" = String, Path, description = "the pipeline"), ("index" = u32, Path, description = "which, from 0")), responses((status = 200, body = ScheduleOut), Refusals), security(("token" = ["operator"])))]
pub(crate) async fn resume(
    State(app): State<App>,
    caller: Caller<Operate>,
    Path((name, index)): Path<(String, u32)>,
) -> Answer<Json<ScheduleOut>> {
    set(&app, &caller, &name, index, false).await
}

async fn set(app: &App, caller: &Caller<Operate>, name: &str, index: u32, paused: bool) -> Answer<Json<ScheduleOut>> {
    one(app, caller, name, index).await?;
    let service = app.service();
    service.ticker().pause(name, index, paused.then(|| caller.name())).await?;
    let action = if paused { Action::SchedulePause } else { Action::ScheduleResume };
    service.audit().record(caller.name(), action, &format!("{name}/{index}"), json!({})).await?;
    Ok(Json(ScheduleOut::new(&one(app, caller, name, index).await?, service.now())))
}
