//! How an organisation looks: a title, a logo, colours that people can read.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use windlass_engine::Engine;
use windlass_model::{Code, Problem};

use super::{
    kept::{Brand, BrandBody, Colours},
    rules::checked_title,
};
use crate::auth::kept::{By, Kept};

/// The contrast that text needs (WCAG 2.2, 1.4.3).
const CONTRAST: f64 = 4.5;
/// Bytes of a logo, at most.
const LOGO_BYTES: usize = 128 << 10;

/// A brand to be.
#[derive(Clone, Debug, Default)]
pub struct NewBrand {
    /// What stands at the top of its pages; the organisation's title, if nothing is said.
    pub title: String,
    /// An image.
    pub logo: Option<String>,
    /// Its colours.
    pub colours: Colours,
}

fn wrong(pointer: &str, message: String) -> Problem {
    Problem::new(Code::InvalidInput, message).data(json!({ "pointer": pointer })).no_effect()
}

/// Refuses what can't be shown, or not be read.
pub fn check(new: &NewBrand) -> Result<(), Problem> {
    checked_title(&new.title, "")?;
    if let Some(logo) = &new.logo {
        check_logo(logo)?;
    }
    let Colours { background, text, primary, on_primary } = &new.colours;
    let colour = |given: &Option<String>, name: &str, else_: &str| {
        let text = given.as_deref().unwrap_or(else_);
        luminance(text)
            .ok_or_else(|| wrong(&format!("/colours/{name}"), format!("`{text}` is no colour such as #1a2b3c")))
    };
    let background = colour(background, "background", "#ffffff")?;
    let text = colour(text, "text", "#111111")?;
    let on_primary = colour(on_primary, "on_primary", "#ffffff")?;
    readable(text, background, "text", "background")?;
    if primary.is_some() {
        let primary = colour(primary, "primary", "")?;
        readable(on_primary, primary, "on_primary", "primary")?;
        // Links are written in it.
        readable(primary, background, "primary", "background")?;
    }
    Ok(())
}

fn readable(above: f64, below: f64, above_name: &str, below_name: &str) -> Result<(), Problem> {
    let ratio = contrast(above, below);
    if ratio >= CONTRAST {
        return Ok(());
    }
    let message =
        format!("`{above_name}` on `{below_name}` has a contrast of {ratio:.2} to 1: text needs {CONTRAST} to 1");
    Err(Problem::new(Code::InvalidInput, message)
        .help("make one of them darker or lighter")
        .data(json!({ "pointer": format!("/colours/{above_name}"), "contrast": ratio, "needed": CONTRAST }))
        .no_effect())
}

fn contrast(one: f64, other: f64) -> f64 {
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Relative luminance of `#rrggbb`, as WCAG defines it.
fn luminance(colour: &str) -> Option<f64> {
    let digits = colour.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let channel = |at: usize| {
        let value = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
        let share = f64::from(value) / 255.0;
        Some(if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) })
    };
    Some(0.2126 * channel(0)? + 0.7152 * channel(2)? + 0.0722 * channel(4)?)
}

/// An image that can't act: no drawing that may hold a script.
fn check_logo(logo: &str) -> Result<(), Problem> {
    let refused = |message: &str| Err(wrong("/logo", message.to_owned()));
    if logo.len() > LOGO_BYTES * 2 || logo.contains(|letter: char| letter.is_control() || letter.is_whitespace()) {
        return refused("a logo is one word, of at most 128 KiB");
    }
    if let Ok(url) = url::Url::parse(logo)
        && url.scheme() == "https"
        && url.username().is_empty()
        && url.password().is_none()
        && logo.len() <= 2_000
    {
        return Ok(());
    }
    let forms: [(&str, &[u8]); 3] = [
        ("data:image/png;base64,", b"\x89PNG\r\n\x1a\n"),
        ("data:image/jpeg;base64,", b"\xff\xd8\xff"),
        ("data:image/webp;base64,", b"RIFF"),
    ];
    for (prefix, begins) in forms {
        let Some(text) = logo.strip_prefix(prefix) else { continue };
        return match BASE64_STANDARD.decode(text) {
            Ok(bytes) if bytes.starts_with(begins) && bytes.len() <= LOGO_BYTES => Ok(()),
            Ok(bytes) if bytes.len() > LOGO_BYTES => refused("a logo has at most 128 KiB"),
            _ => refused("the logo isn't the image that it says it is"),
        };
    }
    refused("a logo is `data:image/png;base64,…` (or jpeg, webp), or an https address")
}

/// Keeps it; with the key of a step also what was there before, for that step's undo.
pub fn put(engine: &Engine, by: &By, name: &str, new: &NewBrand, step: Option<&str>) -> Result<Brand, Problem> {
    check(new)?;
    let before = Brand::find(engine, name)?;
    let replaced = match (step, &before) {
        // A second attempt of the step mustn't take its own for what was there before.
        (Some(step), Some(known)) if known.body.replaced.as_ref().is_some_and(|(by, _)| by == step) => {
            known.body.replaced.clone()
        }
        (Some(step), known) => {
            let was = known.as_ref().map(|known| Box::new(BrandBody { replaced: None, ..known.body.clone() }));
            Some((step.to_owned(), was))
        }
        (None, _) => None,
    };
    let (logo, colours) = (new.logo.clone(), new.colours.clone());
    let body = BrandBody { title: new.title.trim().to_owned(), logo, colours, replaced };
    keep(engine, by, name, before, Some(body))?;
    Brand::require(engine, name)
}

/// Nothing is kept of it any more.
pub fn forget(engine: &Engine, by: &By, name: &str) -> Result<(), Problem> {
    keep(engine, by, name, Brand::find(engine, name)?, None)
}

/// What a step has put is taken back, if nobody has changed it since.
pub fn take_back(engine: &Engine, by: &By, name: &str, step: &str) -> Result<(), Problem> {
    let Some(now) = Brand::find(engine, name)? else { return Ok(()) };
    match now.body.replaced.clone() {
        Some((replaced_by, was)) if replaced_by == step => keep(engine, by, name, Some(now), was.map(|was| *was)),
        _ => Ok(()),
    }
}

fn keep(engine: &Engine, by: &By, name: &str, before: Option<Brand>, body: Option<BrandBody>) -> Result<(), Problem> {
    let told = |body: &BrandBody| json!({ "title": body.title, "colours": body.colours, "logo": body.logo.is_some() });
    let was = before.as_ref().map_or(Value::Null, |before| told(&before.body));
    let is = body.as_ref().map_or(Value::Null, told);
    let change = match (before, body) {
        (Some(before), Some(body)) => Brand { body, ..before }.put()?,
        (None, Some(body)) => Kept::new(name, name, body).put()?,
        (Some(before), None) => before.delete(),
        (None, None) => return Ok(()),
    };
    by.audited(engine, "organisation.brand", (name, name), was, is).change(vec![change])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brand(colours: Value, logo: Option<&str>) -> NewBrand {
        let colours = serde_json::from_value(colours).unwrap();
        NewBrand { title: "Acme".into(), logo: logo.map(str::to_owned), colours }
    }

    #[test]
    fn contrast_is_that_of_the_standard() {
        let of = |one, other| contrast(luminance(one).unwrap(), luminance(other).unwrap());
        assert!((of("#ffffff", "#000000") - 21.0).abs() < 0.001);
        assert!((of("#777777", "#ffffff") - 4.48).abs() < 0.01);
        assert!((of("#767676", "#ffffff") - 4.54).abs() < 0.01);
    }

    #[test]
    fn what_people_could_not_read_is_refused() {
        check(&brand(json!({ "primary": "#0b5fff" }), None)).unwrap();
        check(&brand(
            json!({ "background": "#101010", "text": "#fafafa", "primary": "#9ecbff", "on_primary": "#000000" }),
            None,
        ))
        .unwrap();
        for bad in [
            json!({ "text": "#777777" }),
            json!({ "primary": "#ffee00" }),
            json!({ "background": "#000000" }),
            json!({ "text": "black" }),
            json!({ "text": "#12345" }),
            json!({ "text": "#12345é" }),
        ] {
            assert_eq!(check(&brand(bad.clone(), None)).unwrap_err().code, Code::InvalidInput, "{bad}");
        }
    }

    #[test]
    fn a_logo_is_an_image_and_nothing_that_acts() {
        let png = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(b"\x89PNG\r\n\x1a\nrest"));
        let none = json!({});
        check(&brand(none.clone(), Some(&png))).unwrap();
        check(&brand(none.clone(), Some("https://acme.test/logo.png"))).unwrap();
        let lying = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(b"<svg onload=alert(1)>"));
        let large = format!(
            "data:image/jpeg;base64,{}",
            BASE64_STANDARD.encode([b"\xff\xd8\xff".as_slice(), &[0; 140_000]].concat())
        );
        for bad in [
            lying.as_str(),
            &large,
            "data:image/svg+xml;base64,PHN2Zz4=",
            "http://acme.test/a.png",
            "javascript:alert(1)",
            "https://u:p@acme.test/a.png",
            "a b",
        ] {
            assert!(check(&brand(none.clone(), Some(bad))).is_err(), "{}", &bad[..bad.len().min(60)]);
        }
    }
}
