//! Questions 3 and 7: what holds agents back, and who answers for the capacity. Both are answered by the configuration.

use super::grade::{Answer, Grade};
use super::words::list;
use super::{Evidence, RouteSetup};

pub(super) fn guards(evidence: &Evidence) -> Answer {
    let setup = match &evidence.setup {
        Ok(setup) => setup,
        Err(gap) => return Answer::unknown(3, gap),
    };
    let agents = evidence.agents.as_deref().unwrap_or_default();
    let used: Vec<&RouteSetup> =
        setup.routes.iter().filter(|route| agents.iter().any(|agent| agent.route == route.name)).collect();
    let known = !used.is_empty();
    let judged: Vec<&RouteSetup> = if known { used } else { setup.routes.iter().collect() };
    let mut lines: Vec<String> = agents.iter().map(|agent| format!("route {}: {}", agent.route, agent.why)).collect();
    if !known {
        lines.push(match &evidence.agents {
            Err(gap) => format!("which routes agents use is not known ({}), so all are looked at", gap.why),
            Ok(_) => "no route shows agents (tools, or runs of more than 3 turns), so all are looked at".to_owned(),
        });
    }
    let off: Vec<(&RouteSetup, &String)> =
        judged.iter().filter_map(|route| route.guards_off.as_ref().map(|why| (*route, why))).collect();
    lines.extend(off.iter().map(|(route, why)| format!("route {}: {why}", route.name)));
    lines.extend(setup.unguarded_keys.iter().cloned());
    let which = if known { "agent route" } else { "route" };
    let answer = if let Some(why) = &setup.breaker_off {
        lines.insert(0, why.clone());
        Answer::new(3, Grade::Fail, format!("no {which} has a breaker: {why}"))
            .action("take the keys out of [breaker]: its defaults open after 5 faults in a row or half of 30 s")
    } else if let Some((route, why)) = off.first() {
        let more = if off.len() > 1 { format!(", and {} more", off.len() - 1) } else { String::new() };
        Answer::new(3, Grade::Fail, format!("{which} {} has no run guards: {why}{more}", route.name))
            .action("set runs.loops = \"halt\", the default, and a cap: runs.max-cost = \"20.00\"")
    } else if let Some(key) = setup.unguarded_keys.first() {
        Answer::new(3, Grade::Fail, format!("a key goes without run guards: {key}"))
            .action("take runs.loops out of that key, so that its route's guards hold")
    } else {
        Answer::new(3, Grade::Pass, format!("every {which} has a breaker and run guards"))
    };
    answer
        .evidence(lines)
        .figure("agent_routes", agents.iter().map(|agent| agent.route.to_string()).collect::<Vec<_>>())
        .figure("breaker", setup.breaker_off.is_none())
        .figure("unguarded_routes", off.iter().map(|(route, _)| route.name.to_string()).collect::<Vec<_>>())
}

pub(super) fn owner(evidence: &Evidence) -> Answer {
    let setup = match &evidence.setup {
        Ok(setup) => setup,
        Err(gap) => return Answer::unknown(7, gap),
    };
    let owner = &setup.owner;
    let answer = match &owner.name {
        None => {
            let text = if owner.notify.is_empty() {
                "nobody owns capacity: the config has no [owner]".to_owned()
            } else {
                "nobody is named: [owner] has no name".to_owned()
            };
            Answer::new(7, Grade::Fail, text).action("add [owner] with name = \"…\" and notify = [\"…\"]")
        }
        Some(name) if owner.notify.is_empty() => {
            Answer::new(7, Grade::Pass, format!("{name} owns capacity; alerts reach them on the dashboard only"))
                .action("let alerts reach them: notify = [\"…\"] in [owner]")
        }
        Some(name) => {
            let names: Vec<String> = owner.notify.iter().map(ToString::to_string).collect();
            let mut answer = Answer::new(7, Grade::Pass, format!("{name} owns capacity"))
                .evidence([format!("alerts go to {}", list(&names))]);
            if let Some((failing, why)) = owner.failing.first() {
                answer = answer
                    .evidence([format!("{failing} took no message when one was last sent: {why}")])
                    .action(format!("try it out: weir alerts test {failing}"));
            }
            answer
        }
    };
    answer
        .figure("owner", owner.name.as_deref())
        .figure("notify", owner.notify.iter().map(ToString::to_string).collect::<Vec<_>>())
}
