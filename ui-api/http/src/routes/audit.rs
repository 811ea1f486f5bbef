//! Who did what.

use axum::{Json, extract::State};
use millwork_service::audit::{Unverified, verify};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::App,
    guard::{Administer, Caller},
    page::Page,
    problem::{Answer, AnyJson, Query, Refusals},
    views::time,
};

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct After {
    /// Those with greater numbers; `next` of the page before.
    after: Option<u64>,
    /// How many at most, 1 to 500; 100 unless given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The newest entries first, from before this number (0: from the end).
    before: Option<u64>,
}

/// Something that somebody did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EntryView {
    /// From 1.
    seq: u64,
    /// When.
    at: String,
    /// Who.
    actor: String,
    /// What, as `run.cancel`.
    action: String,
    /// On what.
    target: String,
    /// More of it.
    #[schema(value_type = Object)]
    detail: AnyJson,
    /// The hash that covers this entry and all before it.
    hash: String,
}

/// Entries of the audit log.
#[utoipa::path(get, path = "/audit", tag = "audit", params(After), responses((status = 200, body = Page<EntryView>), Refusals), security(("token" = ["admin"])))]
pub(crate) async fn list(
    State(app): State<App>,
    _: Caller<Administer>,
    Query(asked): Query<After>,
) -> Answer<Json<Page<EntryView>>> {
    let limit = asked.limit.unwrap_or(100).clamp(1, 500);
    let store = app.service().engine().reader();
    let (from, back) = match asked.before {
        None => (asked.after.unwrap_or(0), false),
        Some(0) => (store.audit_head().await?.saturating_sub(u64::from(limit)), true),
        Some(before) => ((before - 1).saturating_sub(u64::from(limit)), true),
    };
    let mut rows = store.audited(from, limit).await?;
    if let Some(before) = asked.before.filter(|before| *before > 0) {
        rows.retain(|row| row.seq < before);
    }
    let next = if back {
        rows.reverse();
        rows.last().filter(|row| row.seq > 1).map(|row| row.seq.to_string())
    } else if rows.len() == limit as usize {
        rows.last().map(|row| row.seq.to_string())
    } else {
        None
    };
    let views = rows.into_iter().map(|row| EntryView {
        seq: row.seq,
        at: time(row.entry.at),
        actor: row.entry.actor,
        action: row.entry.action,
        target: row.entry.target,
        detail: row.entry.detail,
        hash: row.hash.to_string(),
    });
    Ok(Json(Page { items: views.collect(), next }))
}

/// Whether the log is as it was written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerifyView {
    /// Whether every hash fits.
    ok: bool,
    /// Entries that fit.
    entries: Option<u64>,
    /// The first entry that does not.
    broken_at: Option<u64>,
    /// Why not.
    why: Option<String>,
}

/// Checks that nothing in the audit log was changed, left out or put in.
#[utoipa::path(get, path = "/audit/verify", tag = "audit", responses((status = 200, body = VerifyView), Refusals), security(("token" = ["admin"])))]
pub(crate) async fn check(State(app): State<App>, _: Caller<Administer>) -> Answer<Json<VerifyView>> {
    let store = app.service().engine().reader();
    Ok(Json(match verify(store.as_ref()).await {
        Ok(verified) => VerifyView { ok: true, entries: Some(verified.entries), broken_at: None, why: None },
        Err(Unverified::Broken(broken)) => {
            VerifyView { ok: false, entries: None, broken_at: Some(broken.seq), why: Some(broken.to_string()) }
        }
        Err(Unverified::Store(error)) => return Err(error.into()),
    }))
}
