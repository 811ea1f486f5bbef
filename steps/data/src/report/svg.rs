//! The pieces that charts are drawn from.

/// A picture in the making. Colours are classes, so that the page's style, light or dark, gives them.
#[derive(Debug)]
pub(super) struct Svg {
    class: &'static str,
    body: String,
    width: f64,
    height: f64,
    title: String,
    description: String,
}

/// Where a text begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub(super) fn new(class: &'static str, (width, height): (f64, f64), title: &str, description: &str) -> Self {
        let (title, description) = (title.to_owned(), description.to_owned());
        Self { class, body: String::new(), width, height, title, description }
    }

    pub(super) fn width(&self) -> f64 {
        self.width
    }

    pub(super) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.body.push_str(&format!(r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#));
    }

    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, words: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let words = escape(words);
        self.body
            .push_str(&format!(r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#));
    }

    /// A box with words that appear under the pointer and in a screen reader.
    pub(super) fn rect(&mut self, class: &str, (x, y): (f64, f64), (w, h): (f64, f64), opacity: f64, words: &str) {
        let (w, h, words) = (w.max(0.0), h.max(0.0), escape(words));
        let words = if words.is_empty() { words } else { format!("<title>{words}</title>") };
        self.body.push_str(&format!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{w:.1}" height="{h:.1}" rx="1.5" fill-opacity="{opacity:.2}">{words}</rect>"#
        ));
    }

    pub(super) fn path(&mut self, class: &str, points: &[(f64, f64)], words: &str) {
        let words = escape(words);
        let steps =
            points.iter().enumerate().map(|(at, (x, y))| format!("{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' }));
        let steps: String = steps.collect();
        self.body.push_str(&format!(r#"<path class="{class}" d="{steps}"><title>{words}</title></path>"#));
    }

    pub(super) fn finish(self) -> String {
        let (w, h) = (self.width, self.height);
        let (class, title, description) = (self.class, escape(&self.title), escape(&self.description));
        let hidden = if class.ends_with("narrow") { r#" style="display:none""# } else { "" };
        format!(
            r#"<svg class="{class}"{hidden} role="img" viewBox="0 0 {w:.0} {h:.0}" aria-label="{title}"><title>{title}</title><desc>{description}</desc>{}</svg>"#,
            self.body
        )
    }
}

/// Text for HTML and for attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Signs that XML has no place for.
            c if c.is_control() && c != '\n' && c != '\t' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The words cut to a length.
pub(super) fn short(words: &str, most: usize) -> String {
    if words.chars().count() <= most {
        return words.to_owned();
    }
    words.chars().take(most - 1).chain(['…']).collect()
}
