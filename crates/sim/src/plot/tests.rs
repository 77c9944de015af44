//! The drawing as a file: whole, self-contained, and of a bounded size.

use std::path::Path;

use super::*;
use crate::gateway::{PassThrough, World};
use crate::run::run;

fn drawn(duration: &str) -> String {
    let text = format!(
        "duration = \"{duration}\"\n[providers.\"a<b\"]\nlimits = {{ requests-per-minute = 60, concurrent-requests = 9 }}\n\
         latency = \"1s\"\n[gateway.routes.smart]\ndeployments = [\"a<b/m\"]\n[[workloads]]\nroute = \"smart\"\n\
         arrivals = {{ kind = \"poisson\", rate = 1.5 }}\n"
    );
    let scenario = Scenario::read(&text, Path::new("scenario.toml"), &|_| Err(String::new())).unwrap();
    let world = World::of(&scenario);
    plot(&scenario, &run(&scenario, &world, |_| PassThrough::new(&world)))
}

#[test]
fn a_drawing_needs_nothing_else_and_is_well_formed() {
    let svg = drawn("10m");
    for foreign in ["<script", "http://", "url(", "@import", "@font-face", " href"] {
        let own = svg.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        assert!(!own.contains(foreign), "{foreign}");
    }
    for tag in ["svg", "g", "text", "title", "style", "tspan"] {
        let opened = svg.matches(&format!("<{tag}>")).count() + svg.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, svg.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    assert!(svg.contains("a&lt;b requests/min") && !svg.contains("a<b"));
    assert!(svg.contains("prefers-color-scheme:dark"));
    assert_eq!(svg.matches("class=\"t\"").count(), 5, "two limits, queues, waits, 429s");
}

#[test]
fn a_long_run_is_no_larger_a_file() {
    let svg = drawn("5h");
    assert!(svg.len() < 40_000, "{} bytes", svg.len());
}
