//! A workload that uses the Rust crate `spiffe`. It finds the Workload API through SPIFFE_ENDPOINT_SOCKET.
//!
//! ```text
//! assay-interop fetch ID AUDIENCE   fetches, and verifies locally and through the Workload API
//! assay-interop watch UPDATES       reports each X.509 update until there were that many
//! ```
//!
//! Prints one JSON line per check.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use spiffe::{BundleSource, JwtSource, JwtSvid, SpiffeId, WorkloadApiClient, X509Source, X509Svid};

const LIMIT: Duration = Duration::from_secs(30);

type Finding = Result<Value, Box<dyn Error>>;

#[derive(Default)]
struct Report {
    failed: bool,
}

impl Report {
    fn add(&mut self, check: &str, finding: Finding) {
        let (ok, detail) = match finding {
            Ok(detail) => (true, detail),
            Err(error) => (false, Value::String(error.to_string())),
        };
        self.failed |= !ok;
        println!("{}", json!({"check": check, "ok": ok, "detail": detail}));
    }
}

/// Turns what should have been into an error.
fn expect(holds: bool, otherwise: impl Into<String>) -> Result<(), Box<dyn Error>> {
    if holds {
        Ok(())
    } else {
        Err(otherwise.into().into())
    }
}

/// The facts of an X509-SVID; the end of its signature tells one from the next.
fn describe(svid: &X509Svid) -> Value {
    let leaf = svid.cert_chain()[0].as_bytes();
    let tail: String = leaf[leaf.len() - 8..]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    json!({"id": svid.spiffe_id().to_string(), "signatureEnd": tail, "hint": svid.hint()})
}

async fn x509_context(client: &WorkloadApiClient, expected: &SpiffeId) -> Finding {
    let context = client.fetch_x509_context().await?;
    let svid = context.default_svid().ok_or("no SVID")?;
    expect(svid.spiffe_id() == expected, svid.spiffe_id().to_string())?;
    let bundle = context
        .bundle_set()
        .get(expected.trust_domain())
        .ok_or("no bundle")?;
    expect(!bundle.authorities().is_empty(), "an empty bundle")?;
    Ok(describe(svid))
}

async fn x509_bundles(client: &WorkloadApiClient, expected: &SpiffeId) -> Finding {
    let bundles = client.fetch_x509_bundles().await?;
    let bundle = bundles.get(expected.trust_domain()).ok_or("no bundle")?;
    Ok(json!(bundle.authorities().len()))
}

async fn jwt_svid(client: &WorkloadApiClient, expected: &SpiffeId, audience: &str) -> Finding {
    let svid = client.fetch_jwt_svid([audience], Some(expected)).await?;
    let bundles = client.fetch_jwt_bundles().await?;
    let verified = JwtSvid::parse_and_validate(svid.token(), &bundles, &[audience])?;
    expect(
        verified.spiffe_id() == expected,
        verified.spiffe_id().to_string(),
    )?;
    Ok(json!(verified.spiffe_id().to_string()))
}

async fn validation(client: &WorkloadApiClient, expected: &SpiffeId, audience: &str) -> Finding {
    let token = client.fetch_jwt_svid([audience], None).await?;
    let svid = client.validate_jwt_token(audience, token.token()).await?;
    expect(svid.spiffe_id() == expected, svid.spiffe_id().to_string())?;
    Ok(json!(svid.spiffe_id().to_string()))
}

async fn wrong_audience(client: &WorkloadApiClient, audience: &str) -> Finding {
    let token = client.fetch_jwt_svid([audience], None).await?;
    match client.validate_jwt_token("another", token.token()).await {
        Ok(_) => Err("accepted".into()),
        Err(refusal) => Ok(json!(refusal.to_string())),
    }
}

async fn x509_source(expected: &SpiffeId) -> Finding {
    let source = X509Source::new().await?;
    let svid = source.svid()?;
    let bundle = source.bundle_for_trust_domain(expected.trust_domain())?;
    source.shutdown().await;
    expect(svid.spiffe_id() == expected, svid.spiffe_id().to_string())?;
    expect(bundle.is_some(), "no bundle")?;
    Ok(describe(&svid))
}

async fn jwt_source(expected: &SpiffeId, audience: &str) -> Finding {
    let source = JwtSource::new().await?;
    let svid = source.fetch_jwt_svid([audience]).await?;
    let verified = JwtSvid::parse_and_validate(svid.token(), &source, &[audience]);
    source.shutdown().await;
    let id = verified?.spiffe_id().to_string();
    expect(id == expected.to_string(), id.clone())?;
    Ok(json!(id))
}

async fn fetch(report: &mut Report, expected: &SpiffeId, audience: &str) {
    let client = match WorkloadApiClient::connect_env().await {
        Ok(client) => client,
        Err(error) => return report.add("client connects", Err(error.into())),
    };
    report.add("X.509 context", x509_context(&client, expected).await);
    report.add("X.509 bundles", x509_bundles(&client, expected).await);
    report.add(
        "JWT-SVID that the bundle verifies",
        jwt_svid(&client, expected, audience).await,
    );
    report.add(
        "the Workload API validates the token",
        validation(&client, expected, audience).await,
    );
    report.add(
        "the Workload API refuses the token for another audience",
        wrong_audience(&client, audience).await,
    );
    report.add("X509Source", x509_source(expected).await);
    report.add("JwtSource", jwt_source(expected, audience).await);
}

async fn updates(report: &mut Report, wanted: usize) -> Finding {
    let client = WorkloadApiClient::connect_env().await?;
    let mut stream = client.stream_x509_contexts().await?;
    for _ in 0..wanted {
        let context = stream.next().await.ok_or("the stream ended")??;
        let svids: Vec<Value> = context.svids().iter().map(|svid| describe(svid)).collect();
        report.add("update", Ok(json!(svids)));
    }
    Ok(json!(wanted))
}

async fn watch(report: &mut Report, wanted: usize) {
    let finding = match tokio::time::timeout(LIMIT, updates(report, wanted)).await {
        Ok(finding) => finding,
        Err(_) => Err("too few updates".into()),
    };
    report.add("all updates came", finding);
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut report = Report::default();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["fetch", id, audience] => fetch(&mut report, &id.parse()?, audience).await,
        ["watch", wanted] => watch(&mut report, wanted.parse()?).await,
        _ => return Err("usage: fetch ID AUDIENCE | watch UPDATES".into()),
    }
    let failed = report.failed;
    println!("{}", json!({"check": "complete", "ok": !failed}));
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
