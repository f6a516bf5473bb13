//! Lists of names in one text, one on a line, sorted by bytes: searched as they are, without a start-up cost.

use core::cmp::Ordering;

/// Whether a list of lines, sorted by bytes, holds the name.
pub(crate) fn holds(list: &str, name: &str) -> bool {
    let (mut low, mut high) = (0, list.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = list.get(low..middle).and_then(|before| before.rfind('\n')).map_or(low, |at| low + at + 1);
        let end = list.get(middle..high).and_then(|after| after.find('\n')).map_or(high, |at| middle + at);
        match list.get(start..end).unwrap_or("").cmp(name) {
            Ordering::Equal => return true,
            Ordering::Less => low = end + 1,
            Ordering::Greater => high = start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn each_line_is_found_and_nothing_else() {
        for list in ["", "a\n", "a\nab\nb\n", "a\nab\nb", "aa\nbb\ncc\ndd\n"] {
            assert!(list.lines().all(|name| holds(list, name)), "{list:?}");
            for other in ["c", "aab", "A", "a\nab", "zz"] {
                assert!(!holds(list, other), "{other:?} in {list:?}");
            }
        }
    }
}
