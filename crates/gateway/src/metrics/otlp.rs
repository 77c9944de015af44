//! The counters as OpenTelemetry metrics: the same numbers as on `/metrics`, under names of its kind, added up since the start.

use std::sync::Arc;
use std::time::Duration;

use super::operations::{self, BOUNDS, Operation, Sizes};
use super::{BOUNDS as SECONDS, Counters, Histogram, Metrics, Seen};
use crate::telemetry::{Proto, Provider, dollars, provider_name};

/// Sums and histograms count since the start.
const CUMULATIVE: u64 = 2;

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
        let counters = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut writer = Writer { scope, times };
        counters.sums(&mut writer);
        counters.money(&mut writer);
        counters.of_weir_itself(&mut writer);
        counters.operations(&mut writer, provider);
        writer.gauge("weir.breaker.open", "{deployment}", "1 while a deployment's breaker is not closed.", |points| {
            for view in seen.deployments {
                let deployment = view.deployment.to_string();
                if counters.knows(&deployment) {
                    let open = u64::from(view.breaker.name() != "closed");
                    points
                        .integer(open, &|proto, field| proto.foreign_attribute(field, "weir.deployment", &deployment));
                }
            }
        });
        drop(counters);
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
            for ((endpoint, outcome, status), count) in &self.requests {
                points.integer(*count, &|proto, field| {
                    proto.attribute(field, "http.route", endpoint);
                    proto.attribute(field, "weir.outcome", outcome);
                    proto.count_attribute(field, "http.response.status_code", u64::from(*status));
                });
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
            for ((deployment, class), count) in &self.attempts {
                points.integer(*count, &|proto, field| {
                    proto.foreign_attribute(field, "weir.deployment", deployment);
                    proto.attribute(field, "weir.class", class);
                });
            }
        });
        writer.sum("weir.tokens", "{token}", "Tokens as providers reported them.", |points| {
            for ((deployment, kind), count) in &self.tokens {
                points.integer(*count, &|proto, field| {
                    proto.foreign_attribute(field, "weir.deployment", deployment);
                    proto.attribute(field, "gen_ai.token.type", kind);
                });
            }
        });
    }

    fn money(&self, writer: &mut Writer<'_>) {
        let help = "What calls cost, as far as their prices are known, in billionths of a US dollar.";
        writer.sum("weir.cost.nano_usd", "{nano_usd}", help, |points| {
            for ((deployment, estimated), cost) in &self.costs {
                points.integer(u64::try_from(cost.0).unwrap_or(0), &|proto, field| {
                    proto.foreign_attribute(field, "weir.deployment", deployment);
                    proto.flag_attribute(field, "weir.cost_estimated", *estimated);
                });
            }
        });
        writer.sum("weir.cost", "USD", "The same in US dollars, for charts.", |points| {
            for ((deployment, estimated), cost) in &self.costs {
                points.double(dollars(*cost), &|proto, field| {
                    proto.foreign_attribute(field, "weir.deployment", deployment);
                    proto.flag_attribute(field, "weir.cost_estimated", *estimated);
                });
            }
        });
        writer.sum("weir.cost.unknown", "{call}", "Calls upstream whose cost is unknown.", |points| {
            for (deployment, count) in &self.unpriced {
                points.integer(*count, &|proto, field| proto.foreign_attribute(field, "weir.deployment", deployment));
            }
        });
        writer.sum("weir.wasted.tokens", "{token}", "Tokens that were paid for and served nobody.", |points| {
            for (why, (tokens, _)) in &self.wasted {
                points.integer(*tokens, &|proto, field| proto.attribute(field, "weir.why", why));
            }
        });
        writer.sum("weir.wasted.cost", "USD", "What they cost, as far as prices are known.", |points| {
            for (why, (_, cost)) in &self.wasted {
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
        writer.sum("weir.overhead", "us", "What Weir itself added to all requests together.", |points| {
            points.integer(self.overhead_sum_us, &|_, _| {});
        });
        for (name, help, histogram) in [
            ("weir.request.duration", "From a request's arrival to the end of its answer.", &self.durations),
            ("weir.queue.wait", "How long admitted requests waited for capacity, 0 for most.", &self.queue_waits),
        ] {
            writer.histogram(name, "s", help, |points| points.own(histogram));
        }
    }

    fn operations(&self, writer: &mut Writer<'_>, provider: &dyn Fn(&str) -> Option<Provider>) {
        let each = |write: &mut dyn FnMut(&Operation, Attributes<'_>)| {
            for ((deployment, name), operation) in &self.operations.0 {
                write(operation, &|proto, field| labels(proto, field, deployment, name, provider));
            }
        };
        let help = "How long calls upstream took.";
        writer.histogram("gen_ai.client.operation.duration", "s", help, |points| {
            each(&mut |operation, labels| {
                for (class, durations) in &operation.durations {
                    points.durations(durations, &|proto, field| {
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
            each(&mut |operation, labels| points.durations(&operation.first_chunk, labels));
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
    deployment: &Arc<str>,
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
    fn durations(&mut self, sizes: &Sizes, attributes: Attributes<'_>) {
        if sizes.count() > 0 {
            let bounds = operations::DURATIONS.iter().map(|us| Duration::from_micros(*us).as_secs_f64());
            self.sizes(&sizes.counts, Duration::from_micros(sizes.sum).as_secs_f64(), bounds, attributes);
        }
    }

    fn tokens(&mut self, sizes: &Sizes, attributes: Attributes<'_>) {
        #[expect(clippy::cast_precision_loss, reason = "tokens counted by one process are far fewer than 2^52")]
        let number = |tokens: u64| tokens as f64;
        if sizes.count() > 0 {
            let bounds: [f64; BOUNDS] = operations::TOKENS.map(number);
            self.sizes(&sizes.counts, number(sizes.sum), bounds.into_iter(), attributes);
        }
    }

    /// One of the histograms of `/metrics`, with its own bounds.
    fn own(&mut self, histogram: &Histogram) {
        self.sizes(&histogram.counts, histogram.sum.as_secs_f64(), SECONDS.into_iter(), &|_, _| {});
    }
}
