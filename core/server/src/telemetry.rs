//! Logs to standard error; traces of requests, runs and steps to a collector over OTLP, where one is configured.

use std::{collections::HashMap, future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::{
    KeyValue,
    propagation::TextMapPropagator as _,
    trace::{TraceContextExt as _, TracerProvider as _},
};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};
use windlass_model::{Code, Problem};

use crate::config::{Config, LogFormat};

/// How long the collector may take for one batch.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is under way to the collector. Dropping it sends the rest, within a time.
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
    // Sends; it has to outlive the provider's last batch.
    _runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = &self.provider
            && let Err(error) = provider.shutdown_with_timeout(PATIENCE)
        {
            tracing::warn!(%error, "the last traces weren't sent");
        }
    }
}

/// Begins to log, and to trace if that is configured.
pub fn start(config: &Config) -> Result<Telemetry, Problem> {
    let filter = EnvFilter::new(&config.log.level);
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let log = match config.log.format {
        LogFormat::Text => log.with_target(false).with_filter(filter).boxed(),
        LogFormat::Json => log.json().with_filter(filter).boxed(),
    };
    let registry = Registry::default().with(log);
    if config.telemetry.otlp.is_empty() {
        registry.init();
        return Ok(Telemetry { provider: None, _runtime: None });
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("traces")
        .enable_all()
        .build()
        .map_err(|error| Problem::new(Code::System, format!("no thread for traces: {error}")))?;
    let provider = provider(&config.telemetry.otlp, runtime.handle())?;
    // Ours alone: a library's spans would drown them, and the exporter's own would never end.
    let ours = Targets::new().with_target("windlass", tracing::Level::INFO);
    registry.with(tracing_opentelemetry::layer().with_tracer(provider.tracer("windlass")).with_filter(ours)).init();
    Ok(Telemetry { provider: Some(provider), _runtime: Some(runtime) })
}

fn provider(address: &str, runtime: &tokio::runtime::Handle) -> Result<SdkTracerProvider, Problem> {
    let wrong = |error: String| Problem::new(Code::Configuration, format!("`telemetry.otlp`: {error}"));
    let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(|error| wrong(error.to_string()))?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client { client, runtime: runtime.clone() })
        .with_endpoint(format!("{}/v1/traces", address.trim_end_matches('/')))
        .with_timeout(PATIENCE)
        .build()
        .map_err(|error| wrong(error.to_string()))?;
    let resource = Resource::builder()
        .with_service_name("windlass")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// Makes a span part of the trace that a `traceparent` header names; a malformed one changes nothing.
pub fn join(span: &tracing::Span, traceparent: &str) {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract(&carrier);
    if parent.span().span_context().is_valid() {
        // Refused only where no traces are kept.
        let _ = span.set_parent(parent);
    }
}

/// Sends batches on a runtime of its own: the exporter's thread has none.
#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    runtime: tokio::runtime::Handle,
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Client {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Sending<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.client.clone();
        let sending = self.runtime.spawn(async move {
            let request = reqwest::Request::try_from(request.map(reqwest::Body::from))?;
            let answer = client.execute(request).await?;
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = answer.status();
            *response.headers_mut() = answer.headers().clone();
            *response.body_mut() = answer.bytes().await?;
            Ok::<_, reqwest::Error>(response)
        });
        Box::pin(async move { Ok(sending.await??) })
    }
}
