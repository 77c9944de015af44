//! The closed form: providers that are out independently, a share of outages that they have in common, and a share of requests that
//! can move.

/// What a provider answers where nothing was measured: trackers and status pages of 2025 and 2026 lie between 99.2 % and 99.8 %.
pub const UNKNOWN_AVAILABILITY: f64 = 0.995;
/// The share of the smaller unavailability that all providers have in common: networks in front of them, regions of clouds, the stampede onto
/// whoever is left. Until August 2024 status pages showed next to none; 0 to 0.1 is plausible.
pub const COMMON_CAUSE: f64 = 0.05;
/// The share of requests that can move to another provider: streams that are cut, stored responses and what only one provider can express
/// cannot.
pub const COVERAGE: f64 = 0.99;
/// How many requests the assumption weighs, beside those that were measured.
const PRIOR_REQUESTS: f64 = 2_000.0;

/// A provider, as outages see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Provider {
    /// What it answers on average, from 0 to 1.
    pub availability: f64,
    /// The median length of its outages, in minutes.
    pub median_minutes: f64,
    /// How widely that spreads: the deviation of its logarithm.
    pub sigma: f64,
}

impl Provider {
    /// With outages as OpenAI's status page had them until August 2024: 222 incidents, half of them over within 75 minutes, one in a hundred
    /// longer than a day.
    #[must_use]
    pub fn of(availability: f64) -> Self {
        Self { availability: availability.clamp(0.0, 1.0), median_minutes: 75.2, sigma: 1.17 }
    }

    /// The mean length of its outages, in minutes.
    #[must_use]
    pub fn mean_minutes(&self) -> f64 {
        self.median_minutes * libm::exp(self.sigma * self.sigma / 2.0)
    }

    fn unavailability(&self) -> f64 {
        1.0 - self.availability.clamp(0.0, 1.0)
    }
}

/// What was measured of a provider, drawn towards what is usual as long as few requests were measured: a provider that answered each of
/// forty is not one that is never out.
#[must_use]
pub fn shrunk(answered: u64, asked: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let (answered, asked) = (answered.min(asked) as f64, asked as f64);
    (answered + UNKNOWN_AVAILABILITY * PRIOR_REQUESTS) / (asked + PRIOR_REQUESTS)
}

/// What stands behind a route, and how much of it moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Outages {
    /// The providers, in the order in which they are asked.
    pub providers: Vec<Provider>,
    /// The share of the smallest unavailability that all have in common.
    pub common_cause: f64,
    /// The share of requests that can move, and for which those that are left have room.
    pub coverage: f64,
    /// How long an outage goes unnoticed, in minutes; what is under way then is lost.
    pub detection_minutes: f64,
}

impl Outages {
    /// The share of the time in which all are out at once for one reason; none where there is only one.
    pub(super) fn common(&self) -> f64 {
        if self.providers.len() < 2 {
            return 0.0;
        }
        let least = self.providers.iter().map(Provider::unavailability).fold(1.0, f64::min);
        self.common_cause.clamp(0.0, 1.0) * least
    }

    /// The unavailability of each for reasons of its own.
    pub(super) fn own(&self) -> Vec<f64> {
        let common = self.common();
        self.providers.iter().map(|provider| (provider.unavailability() - common).max(0.0)).collect()
    }

    /// What is answered on average: `1 − [U_c + U_1·…·U_n·c + U_1·(1−c)]`, and what detection costs.
    #[must_use]
    pub fn expected(&self) -> f64 {
        let own = self.own();
        let Some(first) = own.first().copied() else { return 0.0 };
        let coverage = if own.len() < 2 { 0.0 } else { self.coverage.clamp(0.0, 1.0) };
        let all: f64 = own.iter().product();
        let mean = self.providers.first().map_or(0.0, Provider::mean_minutes).max(1e-9);
        let detection = if own.len() < 2 { 0.0 } else { self.detection_minutes.max(0.0) * first / mean };
        (1.0 - (self.common() + all * coverage + first * (1.0 - coverage) + detection)).clamp(0.0, 1.0)
    }
}
