//! What surrounds a request: the access log and the end of serving.

use tokio::sync::{oneshot, watch};

use super::*;

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_request_logs_one_line_without_headers_bodies_queries_or_values() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(move || writer.clone())
        .finish();
    // For the whole binary: what one thread alone subscribes to may be found switched off by what
    // another has cached. The lines of other tests are told apart by their request ids.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let denial = policy("Deny", &json!({"message": "hidden-context"}));
    let stack = Stack::start(TEMPLATE, &[("Authorizer", answer(&denial))]).await;
    let request = stack
        .request(Method::POST, "/open?q=hidden-query")
        .header("authorization", "hidden-token");
    let response = request.body("hidden-body").send().await.unwrap();
    let failing = Stack::start(TEMPLATE, &[("Authorizer", fail("hidden-message"))]).await;
    let responses = [
        response,
        stack.get("/banks/hidden-parameter").await,
        stack.get("/hidden-path").await,
        failing.get("/banks").await,
    ];
    let request_ids =
        responses.map(|response| header(&response, "x-amzn-requestid").unwrap().to_owned());
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("hidden"), "{text}");
    let line = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(line)
        .filter(|line| line["target"] == "latchkey::access")
        .collect();
    let of_request = |id: &String| {
        lines
            .iter()
            .filter(|line| line["fields"]["request_id"] == *id)
            .cloned()
            .collect::<Vec<_>>()
    };
    let lines: Vec<Value> = request_ids.iter().flat_map(of_request).collect();
    let shown = |line: &Value| {
        let fields = &line["fields"];
        [
            "method",
            "resource_path",
            "status",
            "gateway_response",
            "authorizer_error",
        ]
        .map(|name| fields[name].clone())
    };
    let expected = [
        json!(["POST", "/open", 200, "", ""]),
        json!(["GET", "/banks/{guid}", 403, "ACCESS_DENIED", ""]),
        json!(["GET", "", 403, "MISSING_AUTHENTICATION_TOKEN", ""]),
        json!(["GET", "/banks", 500, "AUTHORIZER_FAILURE", "SomeError"]),
    ];
    assert_eq!(
        lines
            .iter()
            .map(|line| json!(shown(line)))
            .collect::<Vec<_>>(),
        expected
    );
    assert_eq!(lines[0]["fields"]["source_ip"], "127.0.0.1");
}

#[tokio::test]
async fn shutting_down_finishes_what_has_begun() {
    let description = Template::parse(TEMPLATE, Settings::default())
        .unwrap()
        .resolve(&Physical::new())
        .unwrap();
    let (release, released) = watch::channel(false);
    let held: Handler = Arc::new(move |_| {
        let mut released = released.clone();
        Box::pin(async move {
            released.wait_for(|released| *released).await.unwrap();
            Ok(json!({"statusCode": 200}))
        })
    });
    let handlers = BTreeMap::from([("Open".to_owned(), held)]);
    let seen: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let script = Script {
        handlers,
        seen: Arc::clone(&seen),
    };
    let gateway = Gateway::new(
        description,
        Arc::new(script),
        Options::new(Arc::new(|| NOW)),
    )
    .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/open", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(gateway.serve(listener, async { drop(stopped.await) }));
    let request = tokio::spawn(reqwest::get(url.clone()));
    until(|| seen.lock().unwrap().len() == 1).await;
    stop.send(()).unwrap();
    release.send_replace(true);
    assert_eq!(request.await.unwrap().unwrap().status(), 200);
    serving.await.unwrap().unwrap();
    // Another process may have the port by now.
    drop(reqwest::get(url).await);
    assert_eq!(seen.lock().unwrap().len(), 1, "nobody is served any more");
}
