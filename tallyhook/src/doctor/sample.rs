//! Numbers of a running process, read from its metrics.

/// The metrics of one moment.
#[derive(Debug, Clone)]
pub(super) struct Sample(String);

impl Sample {
    pub(super) fn new(text: String) -> Self {
        Sample(text)
    }

    /// The sum of all series of a metric whose labels hold each of these texts, such as `result="pong"`; `None` where
    /// there is none.
    pub(super) fn sum(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let mut sum = None;
        for line in self.0.lines() {
            let Some(rest) = line.strip_prefix(name) else { continue };
            let (found, value) = match rest.strip_prefix('{') {
                Some(rest) => match rest.rsplit_once("} ") {
                    Some(split) => split,
                    None => continue,
                },
                None => match rest.strip_prefix(' ') {
                    Some(value) => ("", value),
                    None => continue,
                },
            };
            if labels.iter().all(|label| found.split(',').any(|other| other == *label))
                && let Ok(value) = value.trim().parse::<f64>()
            {
                *sum.get_or_insert(0.0) += value;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_told_apart_by_name_and_labels() {
        let sample = Sample::new(
            "# HELP a_total Words.\na_total{event=\"ping\",result=\"pong\"} 2\na_total{event=\"push\",result=\"pong\"} 3\n\
             a_total_more 9\nb 1.5\n"
                .to_owned(),
        );
        assert_eq!(sample.sum("a_total", &[]), Some(5.0));
        assert_eq!(sample.sum("a_total", &["event=\"push\""]), Some(3.0));
        assert_eq!(sample.sum("a_total", &["event=\"star\""]), None);
        assert_eq!(sample.sum("b", &[]), Some(1.5));
        assert_eq!(sample.sum("c", &[]), None);
    }
}
