//! A script of what goes wrong with requests.

use std::time::Duration;

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This status, such as 503 or 404.
    Status(u16),
    /// 429, with or without seconds of `Retry-After`.
    Limit(Option<u64>),
    /// The answer comes so much later.
    Slow(Duration),
    /// 200 with this in place of the body.
    Body(String),
    /// 302 to this address.
    Redirect(String),
    /// `next` leads to the very page that was asked for.
    NextIsThisPage,
    /// `next` always leads to a further page, with the same repositories.
    NextNeverEnds,
    /// `next` leads to this address.
    NextIs(String),
}

/// What goes wrong, and with which requests.
#[derive(Debug, Default)]
pub(crate) struct Script(Vec<(String, Fault, Option<usize>)>);

impl Script {
    pub(crate) fn add(&mut self, part: &str, fault: Fault, times: Option<usize>) {
        self.0.push((part.to_owned(), fault, times));
    }

    pub(crate) fn stop(&mut self) {
        self.0.clear();
    }

    pub(crate) fn draw(&mut self, path: &str) -> Option<Fault> {
        let index = self.0.iter().position(|(part, ..)| path.contains(part.as_str()))?;
        let (_, fault, times) = &mut self.0[index];
        let fault = fault.clone();
        if let Some(left) = times {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.0.remove(index);
            }
        }
        Some(fault)
    }
}
