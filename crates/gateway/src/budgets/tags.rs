//! `x-weir-tags: team=ml,feature=search`: what a request is counted under, beside its key and its tenant.

use http::HeaderMap;
use weir_config::Tag;

use crate::admit::shown;
use crate::headers::X_WEIR_TAGS;
use crate::reply::{Cause, Refusal};

/// Tags that a request may have. They are in its record.
const MOST: usize = 16;

/// The tags of a request.
///
/// # Errors
/// One of them is no tag, a name stands there twice, or there are too many.
pub(crate) fn tags(headers: &HeaderMap) -> Result<Vec<Tag>, Refusal> {
    let wrong = |why: String| Err(Refusal::weir(Cause::Malformed, format!("header x-weir-tags: {why}")));
    let mut tags: Vec<Tag> = Vec::new();
    for line in headers.get_all(X_WEIR_TAGS) {
        let Ok(line) = line.to_str() else {
            return wrong("it is not plain ASCII: write `team=ml,feature=search`".to_owned());
        };
        for text in line.split(',').filter(|text| !text.trim().is_empty()) {
            let tag: Tag = match text.parse() {
                Ok(tag) => tag,
                Err(why) => return wrong(format!("`{}` is no tag, {why}", shown(text.trim()))),
            };
            if tags.iter().any(|known| known.name == tag.name) {
                return wrong(format!("`{}` stands there twice: send each name once", tag.name));
            }
            if tags.len() == MOST {
                return wrong(format!("a request has at most {MOST} tags"));
            }
            tags.push(tag);
        }
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<Vec<String>, String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_WEIR_TAGS, line.parse().unwrap());
        }
        tags(&headers)
            .map(|tags| tags.iter().map(ToString::to_string).collect())
            .map_err(|refusal| refusal.message.clone())
    }

    #[test]
    fn tags_are_read_from_all_lines_and_what_is_none_is_named() {
        assert_eq!(read(&[]), Ok(Vec::new()));
        assert_eq!(read(&["team=ml, feature = search ,", "a=1"]).unwrap(), ["team=ml", "feature=search", "a=1"]);
        let many = (0..17).map(|n| format!("t{n}=x")).collect::<Vec<_>>().join(",");
        for (lines, why) in [
            (vec!["team"], "`team` is no tag, it has no `=`"),
            (vec!["team=<script>"], "its value must be"),
            (vec!["team=ml", "team=other"], "`team` stands there twice"),
            (vec![&*many], "at most 16 tags"),
        ] {
            let said = read(&lines).unwrap_err();
            assert!(said.starts_with("header x-weir-tags: ") && said.contains(why), "{said}");
        }
    }
}
