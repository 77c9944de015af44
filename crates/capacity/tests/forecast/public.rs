//! On public series a week ahead is told better than by repeating last week, and nine hours of ten lie in the 90 % band.

use weir_capacity::forecast::{Calendar, History, LEVELS, Model, Sample, forecast};

/// Weeks of history that a forecast has.
const WEEKS: usize = 5;

/// Reads a series of the fixtures.
pub(crate) fn series(name: &str) -> History {
    let path = format!("{}/../../fixtures/hourly/{name}.csv", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the fixture is there");
    let mut lines = text.lines();
    let start = lines.next().and_then(|line| line.parse().ok()).expect("the first line is a time");
    let sample = |line: &str| line.parse().map_or(Sample::Unknown, Sample::Known);
    History::new(start, lines.map(sample).collect())
}

/// The part of a history between two hours.
fn part(history: &History, from: usize, to: usize) -> History {
    History::new(history.at(from), history.hours[from..to].to_vec())
}

fn pinball(forecast: f64, came: f64, level: f64) -> f64 {
    if came >= forecast { level * (came - forecast) } else { (1.0 - level) * (forecast - came) }
}

#[derive(Default)]
struct Score {
    hours: f64,
    loss: f64,
    naive: f64,
    inside: f64,
    half: f64,
    forecasts: u32,
    mstl: u32,
}

/// Forecasts a week from every so many hours on, and scores it beside repeating last week with bands of that one's own errors.
fn examine(history: &History, every: usize) -> Score {
    let mut score = Score::default();
    let mut origin = WEEKS * 168;
    while origin + 168 <= history.hours.len() {
        let known = part(history, origin - WEEKS * 168, origin);
        let forecast = forecast(&known, &Calendar::utc(), 168, 1).expect("five weeks are enough");
        let value = |hour: usize| known.hours[hour].value();
        let mut repeated: Vec<f64> =
            (168..WEEKS * 168).filter_map(|hour| Some(value(hour)? - value(hour - 168)?)).collect();
        repeated.sort_unstable_by(f64::total_cmp);
        for (ahead, point) in forecast.points.iter().enumerate() {
            let before = value((WEEKS - 1) * 168 + ahead).or_else(|| value((WEEKS - 2) * 168 + ahead));
            let (Some(came), Some(before)) = (history.hours[origin + ahead].value(), before) else { continue };
            score.hours += 1.0;
            for (place, level) in LEVELS.iter().enumerate() {
                let off = repeated[((repeated.len() - 1) as f64 * level).round() as usize];
                score.loss += pinball(point.levels[place], came, *level);
                score.naive += pinball((before + off).max(0.0), came, *level);
            }
            score.inside += f64::from(u8::from(point.p05() <= came && came <= point.p95()));
            score.half += f64::from(u8::from(point.p25() <= came && came <= point.p75()));
        }
        score.forecasts += 1;
        score.mstl += u32::from(forecast.model == Model::Mstl);
        origin += every;
    }
    score
}

/// `WEIR_EVERY_HOURS=72` examines the year at every third day instead of every Monday.
#[test]
fn a_week_ahead_is_told_better_than_by_last_week() {
    let every = std::env::var("WEIR_EVERY_HOURS").ok().and_then(|hours| hours.parse().ok()).unwrap_or(168);
    println!(
        "| series | forecasts | loss against repeating last week | in the 90 % band | in the 50 % band | by MSTL |"
    );
    println!("|---|---|---|---|---|---|");
    for name in ["electricity", "traffic", "pedestrians"] {
        let score = examine(&series(name), every);
        let (ratio, inside) = (score.loss / score.naive, score.inside / score.hours);
        println!(
            "| {name} | {} | {ratio:.2} | {:.1} % | {:.1} % | {} |",
            score.forecasts,
            inside * 100.0,
            score.half / score.hours * 100.0,
            score.mstl
        );
        assert!(ratio <= 1.0, "{name}: {ratio}");
        assert!((0.85..=0.95).contains(&inside), "{name}: {inside}");
    }
}
