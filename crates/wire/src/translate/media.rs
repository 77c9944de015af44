//! Images and documents between data URIs and typed base64.
//!
//! The base64 text itself is carried, never decoded, except where a plain-text document must be read to be written out.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::conversation::{DocumentBody, Media, Place};
use super::{RequestError, bad, cannot};

/// Splits a base64 data URI into its media type, in lower case and without parameters, and its data.
fn split_data_uri<'a>(uri: &Cow<'a, str>) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
    let rest = uri.get(5..).filter(|_| uri.get(..5).is_some_and(|s| s.eq_ignore_ascii_case("data:")))?;
    let comma = rest.find(',')?;
    let (head, data_at) = (&rest[..comma], 5 + comma + 1);
    let base = head.len().checked_sub(7).filter(|at| head.is_char_boundary(*at))?;
    if !head[base..].eq_ignore_ascii_case(";base64") {
        return None;
    }
    let media_type = head[..base].split(';').next().unwrap_or_default().to_ascii_lowercase();
    let data = match uri {
        Cow::Borrowed(text) => Cow::Borrowed(&text[data_at..]),
        Cow::Owned(text) => Cow::Owned(text[data_at..].to_owned()),
    };
    Some((Cow::Owned(media_type), data))
}

/// Reads Chat Completions' `image_url.url`.
pub(super) fn image_from_url<'a>(url: Cow<'a, str>, at: Place) -> Result<Media<'a>, RequestError> {
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(Media::Url(url));
    }
    let Some((media_type, data)) = split_data_uri(&url) else {
        return Err(bad("an image URL must be http(s) or a base64 data URI", at));
    };
    let media_type = if media_type == "image/jpg" { Cow::Borrowed("image/jpeg") } else { media_type };
    Ok(Media::Base64 { media_type, data })
}

/// Reads Chat Completions' `file.file_data`.
pub(super) fn document_from_data<'a>(data: &Cow<'a, str>, at: Place) -> Result<DocumentBody<'a>, RequestError> {
    let Some((media_type, data)) = split_data_uri(data) else {
        return Err(bad("`file_data` must be a base64 data URI", at));
    };
    match media_type.as_ref() {
        "application/pdf" => Ok(DocumentBody::Pdf(data)),
        "text/plain" | "text/markdown" | "text/csv" => {
            let text = STANDARD.decode(data.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            text.map(|text| DocumentBody::Text(text.into()))
                .ok_or_else(|| bad("`file_data` is not the base64 of UTF-8 text", at))
        }
        other => Err(cannot(format!("a file of type `{}`", other.chars().take(60).collect::<String>()), at)),
    }
}

/// The URL or data URI of an image or a PDF.
pub(super) fn data_uri<'a>(media_type: &str, data: &str) -> Cow<'a, str> {
    Cow::Owned(format!("data:{media_type};base64,{data}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_uris_split_and_join() {
        let at = Place::Message(0);
        for (uri, media_type, data) in [
            ("data:image/png;base64,iVBO", "image/png", "iVBO"),
            ("DATA:image/JPG;BASE64,/9j/", "image/jpeg", "/9j/"),
            ("data:image/webp;name=a.webp;base64,", "image/webp", ""),
        ] {
            let Ok(Media::Base64 { media_type: t, data: d }) = image_from_url(uri.into(), at) else { panic!("{uri}") };
            assert_eq!((t.as_ref(), d.as_ref()), (media_type, data));
        }
        for uri in ["", "data:", "data:image/png,abc", "ftp://x/y.png", "daté:;base64,", "data:é64,"] {
            assert!(image_from_url(uri.into(), at).is_err(), "{uri}");
        }
        assert_eq!(data_uri("image/png", "iVBO"), "data:image/png;base64,iVBO");
    }
}
