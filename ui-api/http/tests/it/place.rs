//! A service with its server, over a home and a folder of pipelines of its own.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use async_trait::async_trait;
use millwork_engine::{
    Durability, Engine, EngineOptions, Keep,
    data::{Scan, ScanReader},
    diag::Source,
    graph::{Bundle, CheckOptions, CheckedPipeline, Plan, check_text},
    model::{Clock, Fault, Name, SystemClock},
    step::{Extensions, Registry, SecretProvider},
    thaw,
};
use millwork_http::{App, AppOptions, Server};
use millwork_service::{
    Service, ServiceOptions,
    auth::{NewToken, PipelineScope, Role},
    catalog::Checker,
    queue::Limits,
};
use millwork_testkit::script::Script;
use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use crate::{
    kinds::{self, Gates},
    sse::Stream,
};

/// What anything takes at most; whoever waits longer has found a mistake.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A pipeline of one step that echoes its input.
pub(crate) const ECHO: &str = r#"
version: 1
name: echo
inputs: {n: {type: int, default: 1}}
steps:
  - id: say
    uses: scripted
    with: {value: "${{ inputs.n }}"}
outputs: {n: "${{ steps.say.outputs.value }}"}
"#;

/// A pipeline that stands at the gate of its input `gate` until the test opens it.
pub(crate) fn gated(name: &str, more: &str) -> String {
    format!(
        "version: 1\nname: {name}\n{more}\ninputs: {{gate: {{type: string, default: g}}}}\nsteps:\n  \
         - id: stand\n    uses: gate\n    with: {{value: \"${{{{ inputs.gate }}}}\"}}\n\
         outputs: {{gate: \"${{{{ inputs.gate }}}}\"}}\n"
    )
}

/// How a place is opened.
pub(crate) struct Setup {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) script: Script,
    pub(crate) runs: usize,
    pub(crate) pools: BTreeMap<Name, u32>,
    pub(crate) body_limit: Option<usize>,
    pub(crate) keep: Option<Keep>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            script: Script::default(),
            runs: 64,
            pools: BTreeMap::new(),
            body_limit: None,
            keep: None,
        }
    }
}

/// A server and all that belongs to it.
pub(crate) struct Place {
    pub(crate) service: Arc<Service>,
    pub(crate) gates: Gates,
    pub(crate) address: SocketAddr,
    pub(crate) folder: tempfile::TempDir,
    /// What helpers show that do not say otherwise.
    pub(crate) token: OnceLock<String>,
    client: Client,
    _home: tempfile::TempDir,
}

#[derive(Debug)]
struct Checks(Registry);

impl Checker for Checks {
    fn check(&self, name: &str, bytes: &[u8], base: &Path) -> CheckedPipeline {
        let source = Source::new(name, String::from_utf8_lossy(bytes));
        let include = |path: &str| fs::read_to_string(base.join(path)).map_err(|_| "it is not there".to_owned());
        let options = CheckOptions { read_files: false, strict: false, include: &include, around: &[] };
        check_text(&source, base, &self.0, options)
    }

    fn thaw(&self, bundle: &Bundle) -> Result<Arc<Plan>, Fault> {
        thaw(bundle, &self.0)
    }
}

/// The secrets `hook` and `plain`; no files of tables.
#[derive(Debug)]
struct Outside;

/// The secret `hook`, as Standard Webhooks write it: the key is `a key of hooks`.
pub(crate) const HOOK_SECRET: &str = "whsec_YSBrZXkgb2YgaG9va3M=";

impl SecretProvider for Outside {
    fn open(&self, name: &str) -> Result<Arc<str>, Fault> {
        match name {
            "hook" => Ok(HOOK_SECRET.into()),
            "plain" => Ok("a plain text".into()),
            _ => Err(Fault::user("secret.missing", format!("no secret `{name}`"))),
        }
    }
    fn version(&self, name: &str) -> Result<String, Fault> {
        self.open(name).map(|_| "1".to_owned())
    }
}

#[async_trait]
impl ScanReader for Outside {
    async fn read(
        &self,
        _: &Scan,
        _: &SchemaRef,
        _: Option<&[String]>,
        _: Option<u64>,
    ) -> Result<Vec<RecordBatch>, Fault> {
        Err(Fault::internal("test", "no files here"))
    }
    async fn count(&self, _: &Scan, _: &SchemaRef) -> Result<u64, Fault> {
        Err(Fault::internal("test", "no files here"))
    }
}

/// A service over pipelines, which has read them.
pub(crate) async fn service(setup: &Setup, home: &Path, folder: &Path) -> (Arc<Service>, Gates) {
    let (registry, gates) = (kinds::registry(), Gates::default());
    let mut extensions = Extensions::default();
    extensions.insert(setup.script.clone());
    extensions.insert(gates.clone());
    let engine = Engine::open(EngineOptions {
        home: home.to_owned(),
        durability: Durability::Process,
        max_parallel: 32,
        background: false,
        memory: None,
        clock: setup.clock.clone(),
        registry: registry.clone(),
        secrets: Arc::new(Outside),
        scans: Arc::new(Outside),
        extensions,
    });
    let service = Service::new(ServiceOptions {
        engine: engine.await.expect("an engine"),
        clock: setup.clock.clone(),
        folder: folder.to_owned(),
        checker: Arc::new(Checks(registry)),
        secrets: Arc::new(Outside),
        limits: Limits { runs: setup.runs, pools: setup.pools.clone() },
        keep: setup.keep,
    });
    (service, gates)
}

impl Place {
    /// A server that is open to everybody on this machine.
    pub(crate) async fn open(pipelines: &[&str]) -> Self {
        Self::with(Setup::default(), pipelines).await
    }

    /// The same, opened otherwise.
    pub(crate) async fn with(setup: Setup, pipelines: &[&str]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (home, folder) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        for (n, text) in pipelines.iter().enumerate() {
            fs::write(folder.path().join(format!("p{n}.yaml")), text).expect("a file");
        }
        let (service, gates) = service(&setup, home.path(), folder.path()).await;
        let server = Server::bind(&["127.0.0.1:0".parse().expect("an address")]).await.expect("a port");
        let binds = server.addresses();
        let address = binds[0];
        let options = AppOptions { binds, hosts: Vec::new(), body_limit: setup.body_limit };
        let app = App::new(service.clone(), options).await.expect("an app");
        service.begin().await.expect("a service that begins");
        tokio::spawn(server.serve(app, CancellationToken::new()));
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        let place = Self { service, gates, address, folder, token: OnceLock::new(), client, _home: home };
        let catalog = place.service.catalog().clone();
        let mut changes = catalog.watch();
        if !pipelines.is_empty() {
            let read = async move { while !catalog.is_loaded() && changes.changed().await.is_ok() {} };
            within("pipelines are read", read).await;
        }
        place
    }

    /// Closes the place to who has no token; helpers show one of an admin from here on.
    pub(crate) async fn closed(pipelines: &[&str]) -> Self {
        let place = Self::open(pipelines).await;
        place.close().await;
        place
    }

    /// The same of a place that is open.
    pub(crate) async fn close(&self) {
        let token = self.new_token(NewToken::new("root", Role::Admin)).await;
        self.token.set(token).expect("closed once");
    }

    /// Makes a token.
    pub(crate) async fn new_token(&self, new: NewToken) -> String {
        self.service.tokens().create(new).await.expect("a token").1.expose().to_owned()
    }

    /// Makes a token of a role for some pipelines.
    pub(crate) async fn token_for(&self, name: &str, role: Role, pipelines: &[&str]) -> String {
        let scope = PipelineScope::parse(pipelines).expect("patterns");
        self.new_token(NewToken { scope, ..NewToken::new(name, role) }).await
    }

    /// Takes a token back.
    pub(crate) async fn revoke(&self, name: &str) {
        let tokens = self.service.tokens();
        let all = tokens.list().await.expect("tokens");
        let found = all.iter().find(|token| token.name == name).expect("a token of this name");
        tokens.revoke(&found.id).await.expect("revoked");
    }

    /// A request without a token.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    /// A request to the API, with the usual token.
    pub(crate) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.bare(method, &format!("/api/v1{path}"));
        match self.token.get() {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Asks for something.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.call(Method::GET, path)).await
    }

    /// Asks for something that is there.
    pub(crate) async fn good(&self, path: &str) -> Json {
        self.get(path).await.of_status(StatusCode::OK)
    }

    /// Sends something.
    pub(crate) async fn post(&self, path: &str, body: Json) -> Answer {
        Answer::of(self.call(Method::POST, path).json(&body)).await
    }

    /// Starts a run.
    pub(crate) async fn start(&self, pipeline: &str, inputs: Json) -> String {
        let answer = self.post("/runs", json!({"pipeline": pipeline, "inputs": inputs})).await;
        text(&answer.of_status(StatusCode::CREATED)["id"])
    }

    /// Follows a stream of events.
    pub(crate) async fn stream(&self, path: &str, after: Option<&str>) -> Stream {
        let mut request = self.call(Method::GET, path);
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        Stream::of(request).await
    }

    /// Waits until something is told of a run.
    pub(crate) async fn until(&self, run: &str, told: impl Fn(&str, &Json) -> bool) {
        let mut stream = self.stream(&format!("/runs/{run}/events"), None).await;
        while let Some(event) = stream.next().await {
            if told(&event.name, &event.data) {
                return;
            }
        }
        panic!("{run} ended first: {}", self.good(&format!("/runs/{run}")).await);
    }

    /// Waits until a run has a status.
    pub(crate) async fn is(&self, run: &str, status: &str) {
        self.until(run, |name, data| name == "run" && data["status"] == status).await;
    }

    /// Waits for the end of a run, and gives all of it.
    pub(crate) async fn ended(&self, run: &str) -> Json {
        self.until(run, |name, _| name == "end").await;
        self.good(&format!("/runs/{run}")).await
    }

    /// The steps of a run.
    pub(crate) async fn steps(&self, run: &str) -> Json {
        self.good(&format!("/runs/{run}/steps?limit=5000")).await["items"].clone()
    }

    /// Runs a pipeline that ends by itself.
    pub(crate) async fn ran(&self, pipeline: &str, inputs: Json) -> Json {
        let run = self.start(pipeline, inputs).await;
        self.ended(&run).await
    }
}

/// Something that must come to its end.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(late) => panic!("this takes too long: {what}, {late}"),
    }
}

/// The text in some JSON.
pub(crate) fn text(json: &Json) -> String {
    json.as_str().unwrap_or_else(|| panic!("{json} is no text")).to_owned()
}

/// The values of a field in a list.
pub(crate) fn each(items: &Json, field: &str) -> Vec<String> {
    items.as_array().unwrap_or_else(|| panic!("{items} is no list")).iter().map(|item| text(&item[field])).collect()
}

/// What the server said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    what: String,
}

impl Answer {
    /// Sends a request and reads all of the answer. Errors must look as they all do.
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let (client, request) = request.build_split();
        let request = request.expect("a request");
        let what = format!("{} {}", request.method(), request.url());
        let is_head = request.method() == Method::HEAD;
        let answer = client.execute(request).await.unwrap_or_else(|e| panic!("{what}: {e:?}"));
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.unwrap_or_else(|e| panic!("{what}: {e:?}")).to_vec();
        let answer = Self { status, headers, body, what };
        if (status.is_client_error() || status.is_server_error()) && !is_head {
            answer.is_a_problem();
        }
        answer
    }

    fn is_a_problem(&self) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self}");
        let body = self.json();
        let texts = ["title", "detail", "code"].map(|field| body[field].as_str().is_some_and(|text| !text.is_empty()));
        assert_eq!((texts, &body["status"]), ([true; 3], &json!(self.status.as_u16())), "{self}");
    }

    /// A header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self} is no JSON"))
    }

    /// The code of a refusal.
    pub(crate) fn code(&self) -> String {
        text(&self.json()["code"])
    }

    /// The body, if the status is this one.
    pub(crate) fn of_status(&self, status: StatusCode) -> Json {
        assert_eq!(self.status, status, "{self}");
        self.json()
    }

    /// Whether it was refused so.
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.code().as_str()), (status, code), "{self}");
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body: String = String::from_utf8_lossy(&self.body).chars().take(800).collect();
        write!(f, "{} -> {} {:?} {body}", self.what, self.status, self.headers)
    }
}
