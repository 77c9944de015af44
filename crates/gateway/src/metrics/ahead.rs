//! What will be asked for of each limit, as a gauge: the busiest hour to come.

use weir_capacity::desk::Desk;

use super::page::{head, line};

const NAME: &str = "weir_headroom_forecast_ratio";

/// Writes every limit of which there is a forecast, of models those that `knows` lets have labels.
pub(super) fn write(page: &mut String, desk: Option<&Desk>, knows: impl Fn(&str) -> bool) {
    head(
        page,
        NAME,
        "gauge",
        "1 - forecast / limit in the busiest hour of the next seven days: below 0 where it will be above.",
    );
    let views = desk.iter().flat_map(|desk| &desk.ceilings);
    for view in views.filter(|view| view.kind != "model" || knows(&view.pool)) {
        let Some(busiest) = view.busiest else { continue };
        let labels =
            [("pool", view.pool.as_str()), ("kind", view.kind.as_str()), ("dimension", view.dimension.as_str())];
        line(page, NAME, &labels, ((1.0 - busiest.share) * 1e4).round() / 1e4);
    }
}

#[cfg(test)]
mod tests {
    use weir_capacity::desk::{Band, CeilingView};

    use super::*;

    #[test]
    fn a_limit_without_a_forecast_and_a_model_that_nobody_knows_have_no_line() {
        let view = |pool: &str, kind: &str, share: Option<f64>| CeilingView {
            pool: pool.into(),
            kind: kind.into(),
            dimension: "tokens-per-minute".into(),
            busiest: share.map(|share| Band { share, ..Band::default() }),
            ..CeilingView::default()
        };
        let ceilings =
            vec![view("a", "provider", Some(1.04)), view("b", "pool", None), view("o/anything", "model", Some(0.5))];
        let mut page = String::new();
        write(&mut page, Some(&Desk { ceilings, ..Desk::default() }), |_| false);
        let lines: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            ["weir_headroom_forecast_ratio{pool=\"a\",kind=\"provider\",dimension=\"tokens-per-minute\"} -0.04"]
        );
    }
}
