//! Names with a `*` in them, which mean several.

/// Whether a name has the shape of a pattern, in which `*` stands for any letters, or for none.
#[must_use]
pub fn fits(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(head) else { return false };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    // Each part where it first occurs: what is left for the others is then the most.
    for part in middle.split('*') {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    name.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters_even_none() {
        assert!(fits("h*", "h1") && fits("h*", "h") && fits("*", "anything") && fits("p*e*h1", "p2e1h1"));
        assert!(!fits("h*", "sw1") && !fits("*h1", "h12") && !fits("h1", "h12"));
        assert!(fits("**", "") && fits("a*b*b", "abb") && fits("*ab", "aab") && fits("é*", "éa"));
        assert!(!fits("a*b*b", "ab") && !fits("ab*ba", "aba"));
    }

    #[test]
    fn many_stars_take_no_longer_than_few() {
        assert!(!fits(&"*a".repeat(1000), &"a".repeat(999)));
        assert!(fits(&"*a".repeat(1000), &"a".repeat(1000)));
    }
}
