//! The counters as OpenTelemetry metrics: the same numbers as on `/metrics`, under names of its kind, added up since the start.

use std::time::Duration;

use super::counters::{Counters, OfRoute, Operation, TOKEN_KINDS};
use super::sizes::{BOUNDS, Bounds, DURATIONS, GAPS, OVERHEADS, REQUESTS, Sizes, TOKENS};
use super::{Metrics, Seen};
use crate::telemetry::{Proto, Provider, dollars, provider_name};

/// Sums and histograms count since the start.
const CUMULATIVE: u64 = 2;

/// A histogram of a route.
type OfRoutes = fn(&OfRoute) -> &Sizes;
/// When counting began, and now, in nanoseconds since the epoch.
type Times = (u64, u64);
/// Attributes of a point, to be written as its field of this number.
type Attributes<'a> = &'a dyn Fn(&mut Proto, u32);

impl Metrics {
    /// Writes all metrics, each as field 2 of a `ScopeMetrics`.
    pub(crate) fn otlp(
        &self,
        scope: &mut Proto,
        times: Times,
        seen: &Seen,
        provider: &dyn Fn(&str) -> Option<Provider>,
    ) {
        let counters = self.counters();
        let mut writer = Writer { scope, times };
        counters.sums(&mut writer);
        counters.money(&mut writer);
        counters.of_weir_itself(&mut writer);
        counters.operations(&mut writer, provider);
        writer.gauge("weir.breaker.open", "{deployment}", "1 while a deployment's breaker is not closed.", |points| {
            for view in seen.deployments {
                let deployment = view.deployment.to_string();
                if counters.deployments.knows(&deployment) {
                    let open = u64::from(view.breaker.name() != "closed");
                    points
                        .integer(open, &|proto, field| proto.foreign_attribute(field, "weir.deployment", &deployment));
                }
            }
        });
        for (name, unit, help, value) in [
            ("weir.requests.in_flight", "{request}", "Requests that are running.", seen.in_flight),
            ("weir.runs", "{run}", "Agent runs that are remembered.", seen.runs.runs),
            ("weir.ledger.queued", "{fact}", "Facts that wait to be written.", seen.behind.queued),
        ] {
            writer.gauge(name, unit, help, |points| points.integer(value as u64, &|_, _| {}));
        }
        let telemetry = seen.telemetry;
        for (name, help, value) in [
            ("weir.telemetry.dropped", "Requests and facts whose spans nobody has.", telemetry.dropped),
            ("weir.telemetry.spans", "Spans that a receiver has taken.", telemetry.spans),
        ] {
            writer.sum(name, "{item}", help, |points| points.integer(value, &|_, _| {}));
        }
    }
}

impl Counters {
    fn sums(&self, writer: &mut Writer<'_>) {
        writer.sum("weir.requests", "{request}", "Requests that have ended.", |points| {
            for (route, of) in self.routes.iter() {
                for ((endpoint, outcome, status), count) in of.requests.iter() {
                    points.integer(*count, &|proto, field| {
                        proto.attribute(field, "http.route", endpoint);
                        proto.foreign_attribute(field, "weir.route", route);
                        proto.attribute(field, "weir.outcome", outcome);
                        proto.count_attribute(field, "http.response.status_code", u64::from(*status));
                    });
                }
            }
        });
        writer.sum("weir.refused", "{request}", "Requests that were refused, by who refused and the code.", |points| {
            for ((by, code), count) in &self.refused {
                points.integer(*count, &|proto, field| {
                    proto.foreign_attribute(field, "weir.refused_by", by);
                    proto.foreign_attribute(field, "weir.code", code);
                });
            }
        });
        writer.sum("weir.attempts", "{call}", "Calls upstream, by deployment and what came of them.", |points| {
            for (deployment, of) in self.deployments.iter() {
                for (class, count) in of.attempts.iter() {
                    points.integer(*count, &|proto, field| {
                        proto.foreign_attribute(field, "weir.deployment", deployment);
                        proto.attribute(field, "weir.class", class);
                    });
                }
            }
        });
        writer.sum("weir.tokens", "{token}", "Tokens as providers reported them.", |points| {
            for (deployment, of) in self.deployments.iter() {
                for (kind, count) in TOKEN_KINDS.iter().zip(of.tokens) {
                    points.integer(count, &|proto, field| {
                        proto.foreign_attribute(field, "weir.deployment", deployment);
                        proto.attribute(field, "gen_ai.token.type", kind);
                    });
                }
            }
        });
        let help = "Calls upstream that repeat one to the same deployment for the same request.";
        writer.sum("weir.retries", "{call}", help, |points| {
            for (deployment, of) in self.deployments.iter() {
                points
                    .integer(of.retries, &|proto, field| proto.foreign_attribute(field, "weir.deployment", deployment));
            }
        });
        let help = "Calls upstream that go on where another deployment failed.";
        writer.sum("weir.fallbacks", "{call}", help, |points| {
            for (from, to, count) in self.fallbacks() {
                points.integer(count, &|proto, field| {
                    proto.foreign_attribute(field, "weir.from", from);
                    proto.foreign_attribute(field, "weir.to", to);
                });
            }
        });
    }

    fn money(&self, writer: &mut Writer<'_>) {
        let help = "What calls cost, as far as their prices are known, in billionths of a US dollar.";
        writer.sum("weir.cost.nano_usd", "{nano_usd}", help, |points| {
            for (deployment, of) in self.deployments.iter() {
                for (estimated, cost) in of.costs.iter() {
                    points.integer(u64::try_from(cost.0).unwrap_or(0), &|proto, field| {
                        proto.foreign_attribute(field, "weir.deployment", deployment);
                        proto.flag_attribute(field, "weir.cost_estimated", *estimated);
                    });
                }
            }
        });
        writer.sum("weir.cost", "USD", "The same in US dollars, for charts.", |points| {
            for (deployment, of) in self.deployments.iter() {
                for (estimated, cost) in of.costs.iter() {
                    points.double(dollars(*cost), &|proto, field| {
                        proto.foreign_attribute(field, "weir.deployment", deployment);
                        proto.flag_attribute(field, "weir.cost_estimated", *estimated);
                    });
                }
            }
        });
        writer.sum("weir.cost.unknown", "{call}", "Calls upstream whose cost is unknown.", |points| {
            for (deployment, of) in self.deployments.iter() {
                points.integer(of.unpriced, &|proto, field| {
                    proto.foreign_attribute(field, "weir.deployment", deployment);
                });
            }
        });
        writer.sum("weir.wasted.tokens", "{token}", "Tokens that were paid for and served nobody.", |points| {
            for (why, (tokens, _)) in self.wasted.iter() {
                points.integer(*tokens, &|proto, field| proto.attribute(field, "weir.why", why));
            }
        });
        writer.sum("weir.wasted.cost", "USD", "What they cost, as far as prices are known.", |points| {
            for (why, (_, cost)) in self.wasted.iter() {
                points.double(dollars(*cost), &|proto, field| proto.attribute(field, "weir.why", why));
            }
        });
    }

    fn of_weir_itself(&self, writer: &mut Writer<'_>) {
        writer.sum("weir.run.changes", "{change}", "Agent runs that were warned of, slowed or halted.", |points| {
            for ((change, detector), count) in &self.run_changes {
                points.integer(*count, &|proto, field| {
                    proto.attribute(field, "weir.change", change);
                    proto.attribute(field, "weir.detector", detector);
                });
            }
        });
        writer.histogram("weir.overhead", "s", "What Weir itself added to a request.", |points| {
            points.durations(&self.overheads, &OVERHEADS, &|_, _| {});
        });
        let of_routes: [(&str, &str, OfRoutes); 3] = [
            ("weir.request.duration", "From a request's arrival to the end of its answer.", |of| &of.durations),
            ("weir.request.first_token", "From a request's arrival to the first content of its stream.", |of| {
                &of.first_content
            }),
            ("weir.queue.wait", "How long admitted requests waited for capacity, 0 for most.", |of| &of.queue_waits),
        ];
        for (name, help, of) in of_routes {
            writer.histogram(name, "s", help, |points| {
                for (route, each) in self.routes.iter() {
                    points.durations(of(each), &REQUESTS, &|proto, field| {
                        proto.foreign_attribute(field, "weir.route", route);
                    });
                }
            });
        }
    }

    fn operations(&self, writer: &mut Writer<'_>, provider: &dyn Fn(&str) -> Option<Provider>) {
        let each = |write: &mut dyn FnMut(&Operation, Attributes<'_>)| {
            for (deployment, of) in self.deployments.iter() {
                for (name, operation) in of.operations.iter() {
                    write(operation, &|proto, field| labels(proto, field, deployment, name, provider));
                }
            }
        };
        let help = "How long calls upstream took.";
        writer.histogram("gen_ai.client.operation.duration", "s", help, |points| {
            each(&mut |operation, labels| {
                for (class, durations) in operation.durations.iter() {
                    points.durations(durations, &DURATIONS, &|proto, field| {
                        labels(proto, field);
                        if *class != "ok" {
                            proto.attribute(field, "error.type", class);
                        }
                    });
                }
            });
        });
        let help = "When the first piece of a stream came, from when it was asked for.";
        writer.histogram("gen_ai.client.operation.time_to_first_chunk", "s", help, |points| {
            each(&mut |operation, labels| points.durations(&operation.first_chunk, &DURATIONS, labels));
        });
        let help = "The mean gap between the tokens of a stream that came whole.";
        writer.histogram("weir.inter_token", "s", help, |points| {
            each(&mut |operation, labels| points.durations(&operation.gaps, &GAPS, labels));
        });
        let help = "Tokens of calls upstream, as their providers reported them.";
        writer.histogram("gen_ai.client.token.usage", "{token}", help, |points| {
            each(&mut |operation, labels| {
                for (kind, tokens) in [("input", &operation.input), ("output", &operation.output)] {
                    points.tokens(tokens, &|proto, field| {
                        labels(proto, field);
                        proto.attribute(field, "gen_ai.token.type", kind);
                    });
                }
            });
        });
    }
}

/// What a call to a deployment is known by.
fn labels(
    proto: &mut Proto,
    field: u32,
    deployment: &str,
    operation: &str,
    provider: &dyn Fn(&str) -> Option<Provider>,
) {
    proto.attribute(field, "gen_ai.operation.name", operation);
    // What has no label of its own is nobody's in particular.
    let (name, model) = deployment.split_once('/').unwrap_or(("_OTHER", deployment));
    proto.foreign_attribute(field, "gen_ai.provider.name", provider_name(name, provider(name).as_ref()));
    proto.foreign_attribute(field, "gen_ai.request.model", model);
    proto.foreign_attribute(field, "weir.deployment", deployment);
}

struct Writer<'p> {
    scope: &'p mut Proto,
    times: Times,
}

impl Writer<'_> {
    fn metric(&mut self, name: &str, unit: &str, help: &str, data: u32, write: impl FnOnce(&mut Points<'_>)) {
        let times = self.times;
        self.scope.message(2, |metric| {
            metric.text(1, name);
            metric.text(2, help);
            metric.text(3, unit);
            metric.message(data, |data| write(&mut Points { data, times }));
        });
    }

    fn gauge(&mut self, name: &str, unit: &str, help: &str, write: impl FnOnce(&mut Points<'_>)) {
        self.metric(name, unit, help, 5, write);
    }

    fn sum(&mut self, name: &str, unit: &str, help: &str, write: impl FnOnce(&mut Points<'_>)) {
        self.metric(name, unit, help, 7, |points| {
            write(points);
            points.data.number(2, CUMULATIVE);
            points.data.number(3, 1);
        });
    }

    fn histogram(&mut self, name: &str, unit: &str, help: &str, write: impl FnOnce(&mut Points<'_>)) {
        self.metric(name, unit, help, 9, |points| {
            write(points);
            points.data.number(2, CUMULATIVE);
        });
    }
}

/// The points of one metric.
struct Points<'p> {
    data: &'p mut Proto,
    times: Times,
}

impl Points<'_> {
    fn number(&mut self, attributes: Attributes<'_>, value: impl FnOnce(&mut Proto)) {
        let (since, now) = self.times;
        self.data.message(1, |point| {
            point.fixed64(2, since);
            point.fixed64(3, now);
            value(point);
            attributes(point, 7);
        });
    }

    fn integer(&mut self, value: u64, attributes: Attributes<'_>) {
        self.number(attributes, |point| point.fixed64(6, value));
    }

    fn double(&mut self, value: f64, attributes: Attributes<'_>) {
        self.number(attributes, |point| point.double(4, value));
    }

    fn sizes(&mut self, counts: &[u64], sum: f64, bounds: impl Iterator<Item = f64>, attributes: Attributes<'_>) {
        let (since, now) = self.times;
        self.data.message(1, |point| {
            point.fixed64(2, since);
            point.fixed64(3, now);
            point.fixed64(4, counts.iter().sum());
            point.double(5, sum);
            let packed: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
            point.bytes(6, &packed);
            let packed: Vec<u8> = bounds.flat_map(|bound| bound.to_bits().to_le_bytes()).collect();
            point.bytes(7, &packed);
            attributes(point, 9);
        });
    }

    /// Durations in seconds; those that nothing was counted in are left out.
    fn durations(&mut self, sizes: &Sizes, bounds: &Bounds, attributes: Attributes<'_>) {
        if sizes.count() > 0 {
            let bounds = bounds.iter().map(|us| Duration::from_micros(*us).as_secs_f64());
            self.sizes(&sizes.counts, Duration::from_micros(sizes.sum).as_secs_f64(), bounds, attributes);
        }
    }

    fn tokens(&mut self, sizes: &Sizes, attributes: Attributes<'_>) {
        #[expect(clippy::cast_precision_loss, reason = "tokens counted by one process are far fewer than 2^52")]
        let number = |tokens: u64| tokens as f64;
        if sizes.count() > 0 {
            let bounds: [f64; BOUNDS] = TOKENS.map(number);
            self.sizes(&sizes.counts, number(sizes.sum), bounds.into_iter(), attributes);
        }
    }
}
